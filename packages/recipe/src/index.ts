export {
  type Decision,
  type LayerDecision,
  type Reason,
  REASONS,
  severityOf,
  type WhyNot,
  whyNot,
} from './decisions.js'
export { errors as recipeErrors, type RequestFault } from './errors.js'
export { isRecord, type Json, type JsonObject, toJsonObject } from './json.js'
export { type Form } from './language/form.js'
export type {
  Contradiction,
  NumberSpec,
  ParameterSpec,
  ParameterTable,
  Range,
  StepSpec,
  StepTable,
} from './language/parameter.js'
export {
  dropOf,
  METRIC_TABLE,
  type MetricFacts,
  metricFacts,
  type MetricName,
  METRICS,
} from './metric-table.js'
export type {
  FinishedStage,
  GrowPlan,
  JobPlan,
  PlannedArtifact,
  PlannedInput,
  PlannedSource,
  PlannedStage,
  StageProgress,
} from './plan/plan.js'
export { stageName, type StagePlace } from './plan/stage-name.js'
export type { JobCall, JobRequest } from './request/job-request.js'
export { type JobCreate, parseJobCreate, parseJobRequest } from './request/parse-job-request.js'
export {
  CALL_TABLE,
  DATASET_ROLES,
  type DatasetRole,
  PRIORITIES,
  type Priority,
  REQUEST_TABLE,
} from './request/request-table.js'
export {
  NARROW_TYPES,
  type NarrowType,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
} from './steps/convert-float16.js'
export {
  PRUNABLE_OP_TYPES,
  type PrunableOpType,
  PRUNING_SCOPES,
  type PruningScope,
} from './steps/prune-weights.js'
export {
  type BiasCorrectionMethod,
  type CalibrationMethod,
  type IntegerStep,
  isInteger,
} from './steps/quantize-static.js'
export {
  WEIGHT_ALGORITHMS,
  WEIGHT_BITS,
  WEIGHT_BLOCK_SIZES,
  WEIGHT_FORMATS,
  WEIGHT_OP_TYPES,
  type WeightAlgorithm,
  type WeightBits,
  type WeightFormat,
} from './steps/quantize-weights.js'
export type { PlainStep, RangedStep, Recipe, Step, StepOf } from './steps/recipe.js'
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
export { stepAt } from './steps/step-at.js'
export { STEP_TABLE, STEP_TYPES, type StepType } from './steps/step-table.js'
export { type Device, DEVICES, TARGET_ISAS, type TargetIsa } from './target.js'
