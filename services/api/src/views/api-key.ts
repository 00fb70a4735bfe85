import type { ApiKey as ApiKeyView, Scope } from '@pare/contracts'
import type { ApiKey } from '@pare/database'

import { timeOf } from './job.js'

export function viewApiKey(key: ApiKey): ApiKeyView {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes as Scope[],
    expires_at: timeOf(key.expiresAt),
    last_used_at: timeOf(key.lastUsedAt),
    revoked_at: timeOf(key.revokedAt),
    created_at: key.createdAt.toISOString(),
  }
}
