// Who runs the server. PostgreSQL refuses to run as root, so root lends it an account that has no
// rights of its own; anybody else runs it as himself.
import { readFile } from 'node:fs/promises'

import { errors } from '../errors.js'

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** The account for the server's processes; null for the present one. */
export async function serverAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const account = pickAccount(await readFile('/etc/passwd', 'utf8'))
  if (account !== null) return account
  throw errors.postgres_unavailable(
    'PostgreSQL does not run as root and /etc/passwd names no other user: run Pare as an ordinary user, or set DATABASE_URL',
  )
}

/** `nobody` if there is one, else the last user: PostgreSQL looks its own name up. */
export function pickAccount(passwd: string): Account | null {
  const users = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && Number.isInteger(gid))
  const found = users.find(({ name }) => name === 'nobody') ?? users.at(-1)
  return found === undefined ? null : { uid: found.uid, gid: found.gid }
}
