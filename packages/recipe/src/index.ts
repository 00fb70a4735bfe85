export { errors as recipeErrors, type RequestFault } from './errors.js'
export { isRecord, type Json, type JsonObject, toJsonObject } from './json.js'
export type { ParameterSpec, ParameterTable, StepSpec } from './language/parameter.js'
export {
  dropOf,
  type LabelNeed,
  METRIC_TABLE,
  type MetricFacts,
  metricFacts,
  type MetricName,
} from './metric-table.js'
export type {
  JobPlan,
  PlannedArtifact,
  PlannedInput,
  PlannedSource,
  PlannedStage,
  StageProgress,
} from './plan/plan.js'
export { stageName, type StagePlace } from './plan/stage-name.js'
export {
  DATASET_ROLES,
  type DatasetRole,
  DEVICES,
  JOB_DEFAULTS,
  type JobRequest,
  type Metric,
  METRICS,
  PRIORITIES,
  type Priority,
} from './request/job-request.js'
export { parseJobRequest } from './request/parse-job-request.js'
export { type IntegerStep, isInteger } from './steps/contradictions.js'
export type { Recipe, Step, StepOf } from './steps/recipe.js'
export {
  ACTIVATION_TYPES,
  type ActivationType,
  FLOAT8,
  QUANT_FORMATS,
  type QuantFormat,
  type StaticContradiction,
  staticContradictions,
  WEIGHT_TYPES,
  type WeightType,
} from './steps/static-types.js'
export { STEP_TABLE, STEP_TYPES, type StepType } from './steps/step-table.js'
export { TARGET_ISAS, type TargetIsa } from './target.js'
