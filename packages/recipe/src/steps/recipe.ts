import type { StepValue } from '../language/parameter-value.js'
import type { PLAIN_STEP_TABLE } from './plain-step-table.js'
import type { STEP_TABLE, StepType } from './step-table.js'

/** A step with every parameter present: defaults filled in, names as on the wire. */
export type Step = StepValue<typeof STEP_TABLE>

export type StepOf<Type extends StepType> = Extract<Step, { readonly type: Type }>

/** A step that changes a model once: any but `repeat`. */
export type PlainStep = StepValue<typeof PLAIN_STEP_TABLE>

/** A step inside `repeat`: its numbers may be ranges. `stepAt` makes it a step of one round. */
export type RangedStep = StepValue<typeof PLAIN_STEP_TABLE, true>

/** What to do to a model: an ordered list of steps. */
export interface Recipe {
  readonly steps: readonly Step[]
}
