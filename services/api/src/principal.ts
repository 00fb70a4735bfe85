// Who asks: the project and scopes behind an API key.
import { createHash } from 'node:crypto'

import { type Scope, SCOPES } from '@pare/contracts'
import {
  type ApiKey,
  findApiKeyByHash,
  isUsableApiKey,
  type Pool,
  touchApiKey,
} from '@pare/database'

export interface Principal {
  readonly keyId: string
  readonly projectId: string
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
}

export interface Principals {
  /** Null for a key that does not exist, was revoked, or has expired. */
  readonly find: (key: string) => Promise<Principal | null>
  /** Forgets what it remembers, after a key was revoked here. */
  readonly forget: () => void
}

const MAX_REMEMBERED = 10_000

export function hashApiKey(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

export function allows(principal: Principal, scope: Scope): boolean {
  const needed = SCOPES.indexOf(scope)
  return principal.scopes.some((held) => SCOPES.indexOf(held as Scope) >= needed)
}

/**
 * Looks keys up and remembers the answer for a few seconds, so that polling costs no query for it.
 * A key revoked elsewhere works on here for as long.
 */
export function createPrincipals(pool: Pool, rememberMs: number): Principals {
  const remembered = new Map<string, { readonly key: Promise<ApiKey | null>; until: number }>()

  const lookUp = (hash: string): Promise<ApiKey | null> => {
    const now = performance.now()
    const known = remembered.get(hash)
    if (known !== undefined && known.until > now) return known.key
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    const key = fetchKey(pool, hash)
    remembered.set(hash, { key, until: now + rememberMs })
    // A failed look-up is nothing to remember.
    key.catch(() => remembered.delete(hash))
    return key
  }

  return {
    find: async (text) => {
      const key = await lookUp(hashApiKey(text))
      return key !== null && isUsableApiKey(key, new Date()) ? toPrincipal(key) : null
    },
    forget: () => {
      remembered.clear()
    },
  }
}

async function fetchKey(pool: Pool, hash: string): Promise<ApiKey | null> {
  const key = await findApiKeyByHash(pool, hash)
  if (key !== null) await touchApiKey(pool, key.id)
  return key
}

function toPrincipal({ id, projectId, scopes, expiresAt }: ApiKey): Principal {
  return { keyId: id, projectId, scopes, expiresAt }
}
