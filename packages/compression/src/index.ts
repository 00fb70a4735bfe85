export { ENGINE_VERSION } from './engine-version.js'
export { errors as compressionErrors } from './errors.js'
export type { KnownDataset, KnownModel } from './plan/check-datasets.js'
export type { ModelDescription, ValueSummary } from './plan/model-description.js'
export { type PlanInputs, planJob } from './plan/plan-job.js'
export {
  STAGE_KINDS,
  type StageContext,
  type StageFunction,
  type StageInput,
  type StageKind,
  type StageOutput,
  type StageResult,
} from './stages/stage.js'
