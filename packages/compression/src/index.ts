export { ENGINE_VERSION } from './engine-version.js'
export type { KnownDataset, KnownModel } from './plan/check-datasets.js'
export { growPlan } from './plan/grow-plan.js'
export type { ModelDescription, ValueSummary } from './plan/model-description.js'
export type { PlanInputs } from './plan/plan-basis.js'
export { planJob } from './plan/plan-job.js'
export type {
  StageContext,
  StageFunction,
  StageInput,
  StageOutput,
  StageParams,
  StageResult,
  StageSetting,
} from './stages/stage.js'
export { isStageKind, STAGE_KINDS, STAGE_TABLE, type StageKind } from './stages/stage-table.js'
