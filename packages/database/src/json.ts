// JSON.stringify escapes these and jsonb refuses them; `[^]` passes over every other escape.
const ESCAPES = /\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/g

/**
 * Text for a `$n::jsonb` parameter; node-postgres itself would send an array as a PostgreSQL one.
 * NUL and half surrogate pairs, which jsonb cannot hold, become U+FFFD: a stranger's node name must
 * not fail a transaction.
 */
export function toJson(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return JSON.stringify(value).replace(ESCAPES, (escape) =>
    escape.startsWith('\\u0000') || escape.startsWith('\\ud') ? '\ufffd' : escape,
  )
}
