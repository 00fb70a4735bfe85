import { type Static, Type } from 'typebox'

import { idOf, nullable, Timestamp, words } from './schema.js'

/** Each scope includes those before it. */
export const SCOPES = ['read', 'write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export const ApiKeyCreate = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    scopes: Type.Optional(
      Type.Array(words(SCOPES), { minItems: 1, maxItems: SCOPES.length, default: ['write'] }),
    ),
    expires_at: Type.Optional(Timestamp),
  },
  { $id: 'ApiKeyCreate', additionalProperties: false },
)
export type ApiKeyCreate = Static<typeof ApiKeyCreate>

export const ApiKey = Type.Object(
  {
    id: idOf('key'),
    name: Type.String(),
    prefix: Type.String({ description: 'First characters of the key, to recognise it by' }),
    scopes: Type.Array(words(SCOPES)),
    expires_at: nullable(Timestamp),
    last_used_at: nullable(Timestamp),
    revoked_at: nullable(Timestamp),
    created_at: Timestamp,
    key: Type.Optional(
      Type.String({ description: 'The key itself; only in the answer that creates it' }),
    ),
  },
  { $id: 'ApiKey' },
)
export type ApiKey = Static<typeof ApiKey>
