import type { PlannedSource } from '@pare/recipe'

import type { PlanScope } from './plan-scope.js'
import type { StageRef } from './stage-list.js'

/**
 * Measures a model between two steps: its size and work; with `judges` what it lost too, and how fast it
 * is where the request asks for that after each step.
 */
export function planMeasure(
  result: PlannedSource,
  scope: PlanScope,
  { judges }: { readonly judges: boolean },
): StageRef<'measure'> {
  const { judged, basis } = scope
  const { each_step: times } = basis.request.evaluation
  return scope.add({
    kind: 'measure',
    params: { ...judged, judges: judges || times, times },
    inputs: { original: scope.original, result, data: scope.judgedData },
  })
}
