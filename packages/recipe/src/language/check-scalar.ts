// What is wrong with a value, in words for whoever wrote it.
import { isRecord } from '../json.js'
import type { NumberSpec, Range, ScalarSpec } from './parameter.js'

const MAX_ID_LENGTH = 64
const MAX_LIST_LENGTH = 10_000

/** What the value should have been, where it is not that. */
export function problemWith(spec: ScalarSpec, value: unknown): string | undefined {
  switch (spec.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected true or false'
    case 'choice':
      return spec.choices.some((choice) => choice === value)
        ? undefined
        : `expected one of ${spec.choices.map((choice) => JSON.stringify(choice)).join(', ')}`
    case 'integer':
    case 'number':
      if (isNumberOf(spec, value)) return undefined
      return `expected ${numberWords(spec)}${isRange(value) ? '; a range stands in the steps of a repeat only' : ''}`
    case 'string':
      return isText(value, spec)
        ? undefined
        : `expected a string of ${spec.minLength} to ${spec.maxLength} characters`
    case 'id':
      return isText(value, { minLength: 1, maxLength: MAX_ID_LENGTH })
        ? undefined
        : `expected an id (${spec.prefix}_…)`
    case 'string_list':
      return isListOf(value, spec.choices)
        ? undefined
        : `expected a list of at most ${MAX_LIST_LENGTH} ${spec.choices === undefined ? 'strings' : `of ${spec.choices.join(', ')}`}`
  }
}

/** As `problemWith`, where a number may be a range. */
export function rangedProblemWith(spec: ScalarSpec, value: unknown): string | undefined {
  if (spec.type !== 'integer' && spec.type !== 'number') return problemWith(spec, value)
  if (isNumberOf(spec, value) || isRangeOf(spec, value)) return undefined
  return `expected ${numberWords(spec)}, or a range {"from": …, "to": …} of two such`
}

export function isRange(value: unknown): value is Range {
  return isRecord(value) && typeof value['from'] === 'number' && typeof value['to'] === 'number'
}

export function isText(
  value: unknown,
  { minLength, maxLength }: { readonly minLength: number; readonly maxLength: number },
): value is string {
  return typeof value === 'string' && value.length >= minLength && value.length <= maxLength
}

function isRangeOf(spec: NumberSpec, value: unknown): value is Range {
  return (
    isRange(value) &&
    Object.keys(value).length === 2 &&
    isNumberOf(spec, value.from) &&
    isNumberOf(spec, value.to)
  )
}

function isNumberOf(spec: NumberSpec, value: unknown): value is number {
  return (
    typeof value === 'number' &&
    (spec.type === 'integer' ? Number.isInteger(value) : Number.isFinite(value)) &&
    value >= (spec.minimum ?? -Infinity) &&
    value <= (spec.maximum ?? Infinity) &&
    value > (spec.exclusiveMinimum ?? -Infinity) &&
    value < (spec.exclusiveMaximum ?? Infinity)
  )
}

function numberWords(spec: NumberSpec): string {
  const kind = spec.type === 'integer' ? 'an integer' : 'a number'
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = spec
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`
  const limits = [
    minimum === undefined ? [] : [`from ${minimum} on`],
    maximum === undefined ? [] : [`up to ${maximum}`],
    exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`],
    exclusiveMaximum === undefined ? [] : [`below ${exclusiveMaximum}`],
  ]
  return [kind, limits.flat().join(' and ')].join(' ').trimEnd()
}

function isListOf(value: unknown, choices?: readonly string[]): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_LIST_LENGTH &&
    value.every((item) => typeof item === 'string' && choices?.includes(item) !== false)
  )
}
