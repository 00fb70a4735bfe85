// A checked request becomes a plan. Everything that can be known to fail is refused here, before the
// job is accepted, with a pointer to the element of the request.
import {
  DATASET_ROLES,
  type DatasetRole,
  type JobPlan,
  type JobRequest,
  stepAt,
} from '@pare/recipe'

import type { StageKind } from '../stages/stage-table.js'
import { checkDatasetFits } from './check-datasets.js'
import { checkStep } from './check-steps.js'
import { chooseMetric } from './choose-metric.js'
import { firstPlan } from './grow-plan.js'
import { calibrates } from './needs-calibration.js'
import type { PlanInputs } from './plan-basis.js'
import { refuse } from './refuse.js'

/**
 * Plans a job as far as it is decided before anything has run.
 * @throws recipe_invalid, dataset_required, labels_missing, metric_unsuitable, and the `dataset_*`
 * errors of @pare/datasets; each with `details.errors`, one RequestFault per problem.
 */
export function planJob(request: JobRequest, inputs: PlanInputs): JobPlan<StageKind> {
  checkSteps(request, inputs)
  const judgedOn = requireEvaluationData(inputs)
  for (const role of DATASET_ROLES) {
    const dataset = inputs.datasets[role]
    if (dataset !== undefined) checkDatasetFits(role, dataset, inputs.model)
  }
  return firstPlan({
    request,
    model: inputs.model.sha256,
    datasets: hashesOf(inputs),
    judgedBy: chooseMetric(request.evaluation, {
      outputs: inputs.model.description.outputs,
      dataset: inputs.datasets[judgedOn],
      role: judgedOn,
    }),
    judgedOn,
  })
}

function checkSteps({ recipe, target }: JobRequest, inputs: PlanInputs): void {
  for (const [at, step] of recipe.steps.entries()) {
    const pointer = `#/recipe/steps/${at}`
    const parts = step.type === 'repeat' ? step.steps : [step]
    for (const [part, inner] of parts.entries()) {
      checkStep(
        stepAt(inner, 0),
        step.type === 'repeat' ? `${pointer}/steps/${part}` : pointer,
        target,
      )
      if (!calibrates(inner) || inputs.datasets.calibration !== undefined) continue
      const detail = `${inner.type} calibrates on data: name a dataset as datasets.calibration`
      throw refuse('dataset_required', '#/datasets/calibration', 'required', detail)
    }
  }
}

/** Results are judged on the validation data, else on the calibration data. */
function requireEvaluationData({ datasets }: PlanInputs): DatasetRole {
  if (datasets.validation !== undefined) return 'validation'
  if (datasets.calibration !== undefined) return 'calibration'
  const detail = 'the result is judged on data: name a dataset as datasets.validation'
  throw refuse('dataset_required', '#/datasets/validation', 'required', detail)
}

function hashesOf({ datasets }: PlanInputs): Partial<Record<DatasetRole, string>> {
  const hashes: Partial<Record<DatasetRole, string>> = {}
  for (const role of DATASET_ROLES) {
    const dataset = datasets[role]
    if (dataset !== undefined) hashes[role] = dataset.sha256
  }
  return hashes
}
