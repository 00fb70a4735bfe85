import type { Json, JsonObject } from '@pare/recipe'

/**
 * JSON as PostgreSQL can keep it. Its text knows neither NUL nor half a surrogate pair, and both can
 * come out of a name in an uploaded model.
 */
export function toStorableJson(value: Readonly<Record<string, unknown>>): JsonObject {
  return storable(JSON.parse(JSON.stringify(value)) as Json) as JsonObject
}

function storable(value: Json): Json {
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) return value.map((item: Json) => storable(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), storable(item)]),
  )
}

/** NUL and surrogates that are not half of a pair. */
const UNSTORABLE = /\0|\p{Surrogate}/gu

export function storableText(text: string): string {
  return text.replaceAll(UNSTORABLE, '\u{fffd}')
}
