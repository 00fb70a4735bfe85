import type { PlannedSource } from '@pare/recipe'

import type { PlanScope } from './plan-scope.js'
import type { Working } from './working.js'

/** What a step leaves behind, for the next one to start from. */
export interface Stepped {
  readonly model: PlannedSource
  readonly decisions: PlannedSource
  readonly calibrated?: Working['calibrated']
}

/** The stages of one step that changes a model once. Pure but for the scope's growing list. */
export type StepPlanner<Step> = (step: Step, working: Working, scope: PlanScope) => Stepped
