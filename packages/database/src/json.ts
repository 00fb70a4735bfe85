// The JSON values that jsonb columns hold.

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** Text for a `$n::jsonb` parameter; node-postgres itself would send an array as a PostgreSQL one. */
export function toJson(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value)
}
