import type { STEP_TABLE, StepType } from './step-table.js'

/** The value that a parsed parameter holds, derived from its description. */
type ParameterValue<Spec> = Spec extends {
  readonly type: 'group'
  readonly parameters: infer Group
}
  ? ParameterValues<Group>
  : Spec extends { readonly type: 'choice'; readonly choices: readonly (infer Choice)[] }
    ? Choice
    : Spec extends { readonly type: 'boolean' }
      ? boolean
      : Spec extends { readonly type: 'integer' | 'number' }
        ? number
        : readonly string[]

type ParameterValues<Table> = { readonly [Name in keyof Table]: ParameterValue<Table[Name]> }

/** A step with every parameter present: defaults filled in, names as on the wire. */
export type Step = {
  readonly [Type in StepType]: {
    readonly type: Type
  } & ParameterValues<(typeof STEP_TABLE)[Type]['parameters']>
}[StepType]

export type StepOf<Type extends StepType> = Extract<Step, { readonly type: Type }>

/** What to do to a model: an ordered list of steps. */
export interface Recipe {
  readonly steps: readonly Step[]
}
