// The planner: a checked request becomes stages. Everything that can be known to fail is refused
// here, before the job is accepted, with a pointer to the element of the request.
import { STATISTICS_OF_METHOD } from '@pare/calibration/methods'
import { assertNever } from '@pare/errors'
import {
  DATASET_ROLES,
  type DatasetRole,
  type JobPlan,
  type JobRequest,
  type JsonObject,
  type PlannedInput,
  type PlannedStage,
  type StepOf,
} from '@pare/recipe'

import { ENGINE_VERSION } from '../engine-version.js'
import { STAGE_TABLE, type StageKind } from '../stages/stage-table.js'
import { checkDatasetFits, type KnownDataset, type KnownModel } from './check-datasets.js'
import { checkStep } from './check-steps.js'
import {
  chooseMetric,
  judgedOutput,
  judgedOutputs,
  type MetricChoice,
  reportedMetric,
} from './choose-metric.js'
import { refuse } from './refuse.js'

/** The ready model and datasets that a request names. */
export interface PlanInputs {
  readonly model: KnownModel
  readonly datasets: Readonly<Partial<Record<DatasetRole, KnownDataset>>>
}

/**
 * Plans a job.
 * @throws recipe_invalid, dataset_required, labels_missing, metric_unsuitable, and the `dataset_*`
 * errors of @pare/datasets; each with `details.errors`, one RequestFault per problem.
 */
export function planJob(request: JobRequest, inputs: PlanInputs): JobPlan<StageKind> {
  const step = onlyStep(request)
  checkStep(step, '#/recipe/steps/0', request.target)
  const evaluationRole = requireDatasets(step, inputs)
  for (const role of DATASET_ROLES) {
    const dataset = inputs.datasets[role]
    if (dataset !== undefined) checkDatasetFits(role, dataset, inputs.model)
  }
  const choice = chooseMetric(request.evaluation, {
    outputs: inputs.model.description.outputs,
    dataset: inputs.datasets[evaluationRole],
    role: evaluationRole,
  })
  const plan = new PlanBuilder(request, inputs, evaluationRole)
  switch (step.type) {
    case 'quantize_static':
      plan.quantizeStatic(step, choice)
      break
    case 'quantize_dynamic':
      plan.quantizeDynamic(step)
      break
    case 'quantize_weights':
      plan.quantizeWeights(step)
      break
    case 'convert_float16':
      plan.convertFloat16(step)
      break
    case 'prune_weights':
    case 'repeat': {
      const detail = `${step.type} is not available yet`
      throw refuse('recipe_invalid', '#/recipe/steps/0', 'step_unavailable', detail)
    }
    default:
      assertNever(step)
  }
  plan.evaluateAndReport(choice)
  return {
    stages: plan.stages,
    artifacts: [
      { stage: plan.resultStage, role: 'model', kind: 'model', name: 'model.onnx' },
      { stage: 'report', role: 'report', kind: 'report', name: 'report.json' },
      { stage: 'report', role: 'page', kind: 'report', name: 'report.html' },
    ],
    engineVersion: ENGINE_VERSION,
    seed: request.seed,
  }
}

type PlannableStep = JobRequest['recipe']['steps'][number]

/** a compressed graph is not compressed again, so today's recipes have exactly one step. */
function onlyStep(request: JobRequest): PlannableStep {
  const [first, second] = request.recipe.steps
  if (first === undefined) {
    throw refuse('recipe_invalid', '#/recipe/steps', 'recipe_length', 'the recipe has no step')
  }
  if (second !== undefined) {
    const detail = `${second.type} cannot follow ${first.type}: the weights are narrow already; keep one of the two`
    throw refuse('recipe_invalid', '#/recipe/steps/1', 'step_order', detail)
  }
  return first
}

function needsCalibration(step: PlannableStep): boolean {
  switch (step.type) {
    case 'quantize_static':
      return true
    case 'quantize_weights':
      return step.algorithm === 'gptq' || step.algorithm === 'awq'
    default:
      return false
  }
}

/** Calibration needs its data; evaluation takes the validation data, else the calibration data. */
function requireDatasets(step: PlannableStep, { datasets }: PlanInputs): DatasetRole {
  if (needsCalibration(step) && datasets.calibration === undefined) {
    const detail = `${step.type} calibrates on data: name a dataset as datasets.calibration`
    throw refuse('dataset_required', '#/datasets/calibration', 'required', detail)
  }
  if (datasets.validation !== undefined) return 'validation'
  if (datasets.calibration !== undefined) return 'calibration'
  const detail = 'the result is judged on data: name a dataset as datasets.validation'
  throw refuse('dataset_required', '#/datasets/validation', 'required', detail)
}

/** Steps that compute in integers need float32 inside; the others take float16 as it is. */
function preparation({ recipe }: JobRequest): JsonObject {
  const needsFloat32 = recipe.steps.some(({ type }) => COMPUTES_IN_INTEGERS.has(type))
  return needsFloat32 ? {} : { keep_float16: true }
}

const COMPUTES_IN_INTEGERS: ReadonlySet<string> = new Set(['quantize_dynamic', 'quantize_static'])

/** Collects stages; `resultStage` is the one whose `model` output is the newest. */
class PlanBuilder {
  readonly stages: PlannedStage<StageKind>[] = []
  resultStage = 'prepare'
  readonly #request: JobRequest
  readonly #inputs: PlanInputs
  readonly #evaluationRole: DatasetRole

  constructor(request: JobRequest, inputs: PlanInputs, evaluationRole: DatasetRole) {
    this.#request = request
    this.#inputs = inputs
    this.#evaluationRole = evaluationRole
    const sample = inputs.datasets.calibration === undefined ? evaluationRole : 'calibration'
    this.#add('prepare', preparation(request), [
      this.#original('model'),
      this.#dataset('sample', sample),
    ])
  }

  quantizeStatic(step: StepOf<'quantize_static'>, choice: MetricChoice): void {
    const { type, ...options } = step
    const { method, samples, stop_below_drift } = step.calibration
    // Methods that read the same statistics share the stage.
    const kind = STATISTICS_OF_METHOD[method]
    this.#add('calibrate', { kind, samples, stop_below_drift }, [
      ...this.#prepared('model', 'batch'),
      this.#dataset('calibration', 'calibration'),
      // Compared with the calibration data.
      ...this.#validation(),
    ])
    const judging = this.#judging(choice)
    this.#add(type, { ...options, isa: this.#request.target.isa, ...judging.params }, [
      ...this.#prepared('model', 'shapes', 'batch'),
      { role: 'statistics', from: { stage: 'calibrate', role: 'statistics' } },
      this.#dataset('calibration', 'calibration'),
      ...judging.inputs,
    ])
    this.resultStage = type
  }

  quantizeDynamic(step: StepOf<'quantize_dynamic'>): void {
    const { type, ...options } = step
    const params = { ...options, isa: this.#request.target.isa }
    this.#add(type, params, this.#prepared('model'))
    this.resultStage = type
  }

  quantizeWeights(step: StepOf<'quantize_weights'>): void {
    const { type, ...options } = step
    const data = needsCalibration(step) ? [this.#dataset('calibration', 'calibration')] : []
    this.#add(type, options, [...this.#prepared('model', 'shapes'), ...data])
    this.resultStage = type
  }

  convertFloat16(step: StepOf<'convert_float16'>): void {
    const { type, ...options } = step
    this.#add(type, options, this.#prepared('model', 'shapes'))
    this.resultStage = type
  }

  evaluateAndReport(choice: MetricChoice): void {
    const data = this.#dataset('data', this.#evaluationRole)
    this.#add('evaluate', judgedOutputs(choice, this.#request.target), [
      this.#original('original'),
      { role: 'prepared', from: { stage: 'prepare', role: 'model' } },
      { role: 'result', from: { stage: this.resultStage, role: 'model' } },
      data,
    ])
    this.#add('report', this.#reported(choice), [
      this.#original('original'),
      { role: 'result', from: { stage: this.resultStage, role: 'model' } },
      { role: 'preparation', from: { stage: 'prepare', role: 'decisions' } },
      { role: 'decisions', from: { stage: this.resultStage, role: 'decisions' } },
      { role: 'evaluation', from: { stage: 'evaluate', role: 'evaluation' } },
      ...this.#statistics(),
      data,
    ])
  }

  /** The request with its defaults: the report says how to repeat the job. */
  #reported(choice: MetricChoice): JsonObject {
    const { target, constraints, recipe } = this.#request
    const datasets = DATASET_ROLES.flatMap((role) => {
      const dataset = this.#inputs.datasets[role]
      return dataset === undefined ? [] : [[role, dataset.sha256] as const]
    })
    return {
      ...{ constraints, target },
      ...reportedMetric(choice),
      recipe,
      datasets: Object.fromEntries(datasets),
    }
  }

  /** What calibration saw, where the job calibrates: the report draws it. */
  #statistics(): readonly PlannedInput[] {
    const calibrates = this.stages.some(({ kind }) => kind === 'calibrate')
    const roles = calibrates ? ['statistics', 'data_quality'] : []
    return roles.map((role) => ({ role, from: { stage: 'calibrate', role } }))
  }

  #validation(): readonly PlannedInput[] {
    const isThere = this.#inputs.datasets.validation !== undefined
    return isThere ? [this.#dataset('validation', 'validation')] : []
  }

  /** With a limit to the drop the step itself judges, to leave layers float until it holds. */
  #judging(choice: MetricChoice): { params: JsonObject; inputs: readonly PlannedInput[] } {
    const { max_drop } = this.#request.constraints
    if (max_drop === undefined) return { params: {}, inputs: [] }
    return {
      params: { judging: { ...judgedOutput(choice, this.#request.target), max_drop } },
      inputs: [this.#original('original'), this.#dataset('data', this.#evaluationRole)],
    }
  }

  #add(kind: StageKind, params: JsonObject, inputs: readonly PlannedInput[]): void {
    const { device } = this.#request.target
    const isOnDevice = STAGE_TABLE[kind].usesDevice && device !== 'cpu'
    this.stages.push({ name: kind, kind, params, inputs, ...(isOnDevice ? { device } : {}) })
  }

  #prepared(...roles: readonly ('model' | 'shapes' | 'batch')[]): readonly PlannedInput[] {
    return roles.map((role) => ({ role, from: { stage: 'prepare', role } }))
  }

  #original(role: string): PlannedInput {
    return { role, from: { blob: this.#inputs.model.sha256 } }
  }

  #dataset(role: string, dataset: DatasetRole): PlannedInput {
    const known = this.#inputs.datasets[dataset]
    if (known === undefined)
      throw new Error(`the plan uses the ${dataset} dataset that is not there`)
    return { role, from: { blob: known.sha256 } }
  }
}
