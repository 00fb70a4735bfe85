// Whether another account can get at a path: root may keep its files below folders (/root, the
// result of mktemp -d) that the server's account cannot pass through.
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'

import type { Account } from './account.js'

const OTHERS = 0
const GROUP = 3
const OWNER = 6
const EXECUTE = 1
const READ = 4

/** True when the account may enter every folder above the path and read (and enter) the path. */
export async function canReach(path: string, account: Account | null): Promise<boolean> {
  if (account === null) return true
  if (!(await allows(path, account, READ | EXECUTE))) return false
  for (let at = dirname(path); ; at = dirname(at)) {
    if (!(await allows(at, account, EXECUTE))) return false
    if (dirname(at) === at) return true
  }
}

async function allows(path: string, account: Account, bits: number): Promise<boolean> {
  const { mode, uid, gid } = await stat(path)
  const who = uid === account.uid ? OWNER : gid === account.gid ? GROUP : OTHERS
  return ((mode >> who) & bits) === bits
}
