import type { JobRequest, Step } from '@pare/recipe'

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

/** Steps that compute in integers need float32 inside; the others take float16 as it is. */
function preparation({ recipe }: JobRequest): StageParams<'prepare'> {
  return recipe.steps.some(({ type }) => NEEDS_FLOAT32.has(type)) ? {} : { keep_float16: true }
}

const NEEDS_FLOAT32: ReadonlySet<Step['type']> = new Set([
  'prune_weights',
  'quantize_dynamic',
  'quantize_static',
  'repeat',
])
