import { type JobRequest, type RangedStep, STEP_TABLE, type StepSpec } from '@pare/recipe'

import type { StageParams } from '../stages/stage.js'
import type { PlanScope } from './plan-scope.js'
import type { Working } from './working.js'

/** Every job begins by bringing its model into the form that steps start from. */
export function planStart(scope: PlanScope): Working {
  const prepare = scope.add({
    kind: 'prepare',
    params: preparation(scope.basis.request),
    inputs: { model: scope.original, sample: scope.dataset('calibration') ?? scope.judgedData },
  })
  return {
    model: prepare.output('model'),
    prepared: prepare.output('model'),
    preparation: prepare.output('decisions'),
    shapes: prepare.output('shapes'),
    batch: prepare.output('batch'),
    trail: [],
  }
}

/**
 * Steps that do no more than store or zero weights take float16 as it is: widened for them, the result
 * would be twice as large. Those that compute in integers need float32 inside.
 */
function preparation({ recipe }: JobRequest): StageParams<'prepare'> {
  const steps = recipe.steps.flatMap((step) => (step.type === 'repeat' ? step.steps : [step]))
  return steps.every(keepsFloat16) ? { keep_float16: true } : {}
}

function keepsFloat16({ type }: RangedStep): boolean {
  const row: StepSpec = STEP_TABLE[type]
  return row.keepsFloat16 === true
}
