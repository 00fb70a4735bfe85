// The JSON schema of recipe steps, made from the table that also parses them.
import { type ParameterSpec, type ParameterTable, STEP_TABLE, type StepSpec } from '@pare/recipe'
import { Type } from 'typebox'

type JsonSchema = Readonly<Record<string, unknown>>

function parameterSchema(spec: ParameterSpec): JsonSchema {
  const { description } = spec
  switch (spec.type) {
    case 'group':
      return { ...tableSchema(spec.parameters), description }
    case 'choice':
      return { enum: spec.choices, default: spec.default, description }
    case 'string_list':
      return { type: 'array', items: { type: 'string' }, default: spec.default, description }
    default:
      return { ...spec }
  }
}

function tableSchema(table: ParameterTable): JsonSchema {
  const properties = Object.entries(table).map(([name, spec]) => [name, parameterSchema(spec)])
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(properties) }
}

function stepSchema(type: string, spec: StepSpec): JsonSchema {
  const { properties, ...table } = tableSchema(spec.parameters)
  const ownType = { type: 'string', const: type }
  return {
    ...table,
    title: type,
    description: spec.description,
    required: ['type'],
    properties: { type: ownType, ...(properties as JsonSchema) },
  }
}

export interface RecipeInput {
  readonly steps: readonly { readonly type: string; readonly [parameter: string]: unknown }[]
}

export const Recipe = Type.Unsafe<RecipeInput>({
  $id: 'Recipe',
  type: 'object',
  description: 'What to do to the model: an ordered list of steps',
  additionalProperties: false,
  required: ['steps'],
  properties: {
    steps: {
      type: 'array',
      minItems: 1,
      maxItems: 32,
      items: { oneOf: Object.entries(STEP_TABLE).map(([type, spec]) => stepSchema(type, spec)) },
    },
  },
})
