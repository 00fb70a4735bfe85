import { type JobRequest, STEP_TABLE, type StepSpec } from '@pare/recipe'

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
 * Steps that do no more than store weights take float16 as it is. Those that compute in integers need
 * float32 inside, and those that give back the form they took give one of float32.
 */
function preparation({ recipe }: JobRequest): StageParams<'prepare'> {
  return recipe.steps.every(({ type }) => STORES.has(STEP_TABLE[type].gives))
    ? { keep_float16: true }
    : {}
}

const STORES: ReadonlySet<StepSpec['gives']> = new Set(['narrow', 'float16'])
