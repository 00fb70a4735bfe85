export { ENGINE_VERSION } from './engine-version.js'
export { errors as compressionErrors, type RequestFault } from './errors.js'
export {
  DATASET_ROLES,
  type DatasetRole,
  DEVICES,
  JOB_DEFAULTS,
  type JobRequest,
  type Metric,
  METRICS,
  PRIORITIES,
} from './job-request.js'
export { parseJobRequest } from './parse-job-request.js'
export type { KnownDataset, KnownModel } from './plan/check-datasets.js'
export type { ModelDescription, ValueSummary } from './plan/model-description.js'
export type {
  JobPlan,
  PlannedArtifact,
  PlannedInput,
  PlannedSource,
  PlannedStage,
} from './plan/plan.js'
export { type PlanInputs, planJob } from './plan/plan-job.js'
export type { ParameterSpec, ParameterTable, StepSpec } from './recipe/parameter.js'
export type { Recipe, Step, StepOf } from './recipe/recipe.js'
export { STEP_TABLE, STEP_TYPES, type StepType } from './recipe/step-table.js'
export {
  type Json,
  type JsonObject,
  STAGE_KINDS,
  type StageContext,
  type StageFunction,
  type StageInput,
  type StageKind,
  type StageOutput,
  type StageProgress,
  type StageResult,
} from './stages/stage.js'
export { TARGET_ISAS, type TargetIsa } from '@pare/quantization'
