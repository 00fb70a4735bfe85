/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

/** Plain data as JSON says it: what JSON cannot say is left out. */
export function toJsonObject(data: object): JsonObject {
  return JSON.parse(JSON.stringify(data)) as JsonObject
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
