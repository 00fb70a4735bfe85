// JSON schemas of requests, made from the tables that also parse them.
import type { NumberSpec, ParameterSpec, ParameterTable, StepSpec, StepTable } from '@pare/recipe'

export type JsonSchema = Readonly<Record<string, unknown>>

/** The members of a table. Ranged: numbers may be ranges. */
export function tableSchema(table: ParameterTable, ranged = false): JsonSchema {
  const entries = Object.entries(table)
  const properties = entries.map(([name, spec]) => [name, parameterSchema(spec, ranged)])
  const required = entries.flatMap(([name, spec]) => (isRequired(spec) ? [name] : []))
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
  }
}

function isRequired(spec: ParameterSpec): boolean {
  switch (spec.type) {
    case 'recipe':
    case 'steps':
      return true
    case 'group':
    case 'list':
    case 'map':
      return false
    default:
      return spec.optional !== true && !('default' in spec)
  }
}

function parameterSchema(spec: ParameterSpec, ranged: boolean): JsonSchema {
  const { description } = spec
  switch (spec.type) {
    case 'boolean':
      return { type: 'boolean', ...defaultOf(spec), description }
    case 'choice':
      return { ...choiceType(spec.choices), enum: spec.choices, ...defaultOf(spec), description }
    case 'integer':
    case 'number':
      return ranged
        ? rangedSchema(spec)
        : { ...numberSchema(spec), ...defaultOf(spec), description }
    case 'string':
      return {
        ...{ type: 'string', minLength: spec.minLength, maxLength: spec.maxLength },
        ...defaultOf(spec),
        description,
      }
    case 'id':
      return {
        ...{ type: 'string', minLength: 1, maxLength: 64 },
        description,
        examples: [`${spec.prefix}_01kaqnbq5t8r3x0v6d1m9s2c4e`],
      }
    default:
      return compoundSchema(spec, ranged)
  }
}

type CompoundSpec = Exclude<
  ParameterSpec,
  { readonly type: 'boolean' | 'choice' | 'integer' | 'number' | 'string' | 'id' }
>

function compoundSchema(spec: CompoundSpec, ranged: boolean): JsonSchema {
  const { description } = spec
  switch (spec.type) {
    case 'string_list':
      return {
        ...{ type: 'array', items: wordSchema(spec.choices), maxItems: 10_000 },
        ...{ default: spec.default, description },
      }
    case 'map':
      return {
        ...{ type: 'object', description, maxProperties: spec.maxEntries },
        additionalProperties: { type: 'string', minLength: 1, maxLength: spec.maxLength },
      }
    case 'group':
      return { ...tableSchema(spec.parameters, ranged), description }
    case 'recipe':
      return { ...tableSchema(spec.parameters), description }
    case 'list':
      return {
        ...{ type: 'array', minItems: 1, maxItems: spec.maxItems, description },
        items: tableSchema(spec.parameters, ranged),
      }
    case 'steps':
      return {
        ...{ type: 'array', minItems: 1, maxItems: spec.maxItems, description },
        items: { oneOf: stepSchemas(spec.table, spec.ranged) },
      }
  }
}

function stepSchemas(table: StepTable, ranged: boolean): readonly JsonSchema[] {
  return Object.entries(table).map(([type, spec]) => stepSchema(type, spec, ranged))
}

function stepSchema(type: string, spec: StepSpec, ranged: boolean): JsonSchema {
  const { properties, required, ...table } = tableSchema(spec.parameters, ranged)
  const ownType = { type: 'string', const: type }
  return {
    ...table,
    title: type,
    description: spec.description,
    required: ['type', ...((required ?? []) as readonly string[])],
    properties: { type: ownType, ...(properties as JsonSchema) },
  }
}

function wordSchema(choices?: readonly string[]): JsonSchema {
  return choices === undefined ? { type: 'string' } : { type: 'string', enum: choices }
}

/** The type of words is said, for readers that make a menu of them. */
function choiceType(choices: readonly unknown[]): JsonSchema {
  return choices.every((choice) => typeof choice === 'string') ? { type: 'string' } : {}
}

function numberSchema(spec: NumberSpec): JsonSchema {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = spec
  return {
    type,
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(exclusiveMinimum === undefined ? {} : { exclusiveMinimum }),
    ...(exclusiveMaximum === undefined ? {} : { exclusiveMaximum }),
  }
}

function rangedSchema(spec: NumberSpec): JsonSchema {
  const number = numberSchema(spec)
  const range = {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: { from: number, to: number },
  }
  const { description, defaultRange } = spec
  const ownDefault = defaultRange === undefined ? defaultOf(spec) : {}
  return { anyOf: [number, range], ...ownDefault, description }
}

/** What stands for the member where it is left out, unless that depends on other members. */
function defaultOf(spec: { readonly default?: unknown; readonly unless?: unknown }): JsonSchema {
  return spec.default === undefined || spec.unless !== undefined ? {} : { default: spec.default }
}
