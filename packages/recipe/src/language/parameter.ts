/**
 * How a parameter of a recipe step is described. The same description checks requests, fills in
 * defaults and becomes the JSON schema of the HTTP contract, so the three cannot drift apart.
 */
export type ParameterSpec = { readonly description: string } & (
  | { readonly type: 'boolean'; readonly default: boolean }
  | {
      /** One of the listed JSON scalars. */
      readonly type: 'choice'
      readonly choices: readonly (string | number | boolean)[]
      readonly default: string | number | boolean
    }
  | {
      readonly type: 'integer' | 'number'
      readonly minimum: number
      readonly maximum: number
      readonly default: number
    }
  | { readonly type: 'string_list'; readonly default: readonly string[] }
  | { readonly type: 'group'; readonly parameters: ParameterTable }
)

export type ParameterTable = Readonly<Record<string, ParameterSpec>>

export interface StepSpec {
  readonly description: string
  readonly parameters: ParameterTable
}
