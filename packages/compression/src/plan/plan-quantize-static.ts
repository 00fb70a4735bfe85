import { STATISTICS_OF_METHOD } from '@pare/calibration/methods'
import type { StepOf } from '@pare/recipe'

import type { Judging } from '../stages/stage-table.js'
import type { PlanScope } from './plan-scope.js'
import type { StepPlanner } from './step-planner.js'

/** Calibration is a stage of its own: methods that read the same statistics share it. */
export const planQuantizeStatic: StepPlanner<StepOf<'quantize_static'>> = (
  { type, ...options },
  { model, shapes, batch },
  scope,
) => {
  const { method, samples, stop_below_drift } = options.calibration
  const calibration = scope.requiredDataset('calibration')
  const calibrate = scope.add({
    kind: 'calibrate',
    params: { kind: STATISTICS_OF_METHOD[method], samples, stop_below_drift },
    // The validation data is compared with the calibration data.
    inputs: { model, batch, calibration, validation: scope.dataset('validation') },
  })
  const judging = judgingOf(scope)
  const judges = judging === undefined ? {} : { original: scope.original, data: scope.judgedData }
  const statistics = calibrate.output('statistics')
  const quantize = scope.add({
    kind: type,
    params: {
      ...{ ...options, isa: scope.basis.request.target.isa },
      ...(judging === undefined ? {} : { judging }),
    },
    inputs: { model, shapes, batch, statistics, calibration, ...judges },
  })
  return {
    model: quantize.output('model'),
    decisions: quantize.output('decisions'),
    calibrated: { statistics, data_quality: calibrate.output('data_quality') },
  }
}

/** With a limit to the drop the step itself judges, to leave layers float until it holds. */
function judgingOf({ basis, judged }: PlanScope): Judging | undefined {
  const { max_drop } = basis.request.constraints
  return max_drop === undefined ? undefined : { ...judged, max_drop }
}
