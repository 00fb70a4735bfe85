// Small makers of JSON Schema that TypeBox lacks in the form that OpenAPI 3.1 readers like best.
import { type Static, type TSchema, Type } from 'typebox'

/** One of a closed list of words. */
export function words<const Words extends readonly string[]>(
  choices: Words,
  options: { readonly description?: string; readonly default?: Words[number] } = {},
) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...choices], ...options })
}

/** The schema or null: what is not there yet is null, never left out. */
export function nullable<Schema extends TSchema>(schema: Schema) {
  const { type, ...rest } = schema as { readonly type?: unknown }
  // A list of types is decided at once by the serializer; alternatives are validated one by one.
  const either =
    typeof type === 'string'
      ? { type: [type, 'null'], ...rest }
      : { anyOf: [{ type: 'null' }, schema] }
  return Type.Unsafe<Static<Schema> | null>(either)
}

/** A reference to a schema with an `$id`, so that it appears once in the OpenAPI document. */
export function ref<Schema extends TSchema>(schema: Schema) {
  const id = (schema as { readonly $id?: string }).$id
  if (id === undefined) throw new Error('only a schema with an $id can be referred to')
  return Type.Unsafe<Static<Schema>>({ $ref: `${id}#` })
}

/** The id of a resource: its prefix and 26 characters of lower-case Crockford base 32. */
export function idOf(prefix: string) {
  return Type.String({
    pattern: `^${prefix}_[0-9a-z]{26}$`,
    maxLength: prefix.length + 27,
    examples: [`${prefix}_01kaqnbq5t8r3x0v6d1m9s2c4e`],
  })
}

export const Timestamp = Type.String({ format: 'date-time', description: 'UTC, ISO 8601' })

export const Sha256 = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'SHA-256 in lower-case hexadecimal digits',
})

/** A JSON object whose members the schema does not describe. */
export const AnyObject = Type.Unsafe<Readonly<Record<string, unknown>>>({
  type: 'object',
  additionalProperties: true,
})

export const Labels = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  description: 'Up to 32 names and values of your own, to find jobs by',
  maxProperties: 32,
  additionalProperties: { type: 'string', minLength: 1, maxLength: 256 },
})

/** A page of a list, newest first unless the route says otherwise. */
export function pageOf<Schema extends TSchema>(item: Schema) {
  return Type.Object({
    data: Type.Array(ref(item)),
    has_more: Type.Boolean(),
    next_cursor: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Opaque; null at the end, and only there',
    }),
  })
}
