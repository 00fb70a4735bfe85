import { REQUEST_TABLE } from '@pare/recipe'
import { Type } from 'typebox'

import { tableSchema } from './table-schema.js'

export interface RecipeInput {
  readonly steps: readonly { readonly type: string; readonly [parameter: string]: unknown }[]
}

const { parameters, description } = REQUEST_TABLE.recipe

/** What to do to a model; made from the table of steps, which also parses it. */
export const Recipe = Type.Unsafe<RecipeInput>({
  ...tableSchema(parameters),
  $id: 'Recipe',
  description,
})
