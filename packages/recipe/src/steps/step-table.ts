import type { StepSpec } from '../language/parameter.js'
import { PLAIN_STEP_TABLE } from './plain-step-table.js'
import { repeat } from './repeat.js'

/** Every step that a recipe may hold. */
export const STEP_TABLE = { ...PLAIN_STEP_TABLE, repeat } as const satisfies Record<
  string,
  StepSpec
>

export type StepType = keyof typeof STEP_TABLE

export const STEP_TYPES = Object.keys(STEP_TABLE) as readonly StepType[]
