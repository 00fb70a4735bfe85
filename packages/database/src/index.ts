export { type AcceptedJob, acceptJob, retryJob } from './accept-job.js'
export {
  type ApiKey,
  createApiKey,
  findApiKeyByHash,
  isUsableApiKey,
  listApiKeys,
  type NewApiKey,
  revokeApiKey,
  touchApiKey,
} from './api-keys.js'
export { type Artifact, getArtifact, listArtifacts } from './artifacts.js'
export { cancelJob } from './cancel-job.js'
export { canonicalJson, hashJson } from './canonical-json.js'
export { claimBestStage } from './claim-best-stage.js'
export {
  type ClaimedStage,
  type ClaimOutcome,
  type ClaimRequest,
  claimStage,
} from './claim-stage.js'
export { createPool, type Db, type Pool, type PoolOptions, type Tx, withTransaction } from './db.js'
export {
  completeStage,
  confirmCanceled,
  failStage,
  MAX_FAULTS,
  releaseStage,
  type StageEnd,
  type StageFailure,
} from './end-stage.js'
export { errors } from './errors.js'
export { CANCEL_CHANNEL, EVENTS_CHANNEL, type JobEvent, listEvents } from './events.js'
export { checkStage, type Heartbeat, heartbeatStage } from './heartbeat.js'
export {
  idempotencyBegin,
  idempotencyFinish,
  type IdempotencyKey,
  type IdempotencyOutcome,
  type IdempotencyRequest,
  purgeIdempotency,
  type StoredResponse,
} from './idempotency.js'
export { ID_PREFIXES, type IdKind, newId } from './ids.js'
export { CANONICAL_ROLE } from './inspection.js'
export {
  getJobStatus,
  type JobStatus,
  listUnfinishedJobsUsing,
  type StageBrief,
} from './job-status.js'
export {
  getJob,
  type Job,
  type JobFilter,
  type Labels,
  type ListedJob,
  listJobs,
  type NewJob,
} from './jobs.js'
export { listen, type Listener, type ListenOptions } from './listen.js'
export { migrate, MIGRATIONS_DIR } from './migrate.js'
export type { Page, PagePosition, PageRequest } from './page.js'
export type { Doorbell, JobProgress, ResolvedInput, StageOutput, StageOutputs } from './plan.js'
export { type ProgressReport, reportProgress } from './progress.js'
export { ensureProject, type Project } from './projects.js'
export { reconcile, type Reconciled, type ReconcileOptions } from './reconcile.js'
export { stageKey, type StageKeyParts } from './stage-key.js'
export { findStageResult, type StageResult } from './stage-results.js'
export {
  getStage,
  listStages,
  listStageStatuses,
  type Stage,
  type StageClaim,
  type StageStatus,
} from './stages.js'
export {
  isTerminalJobState,
  isTerminalStageState,
  JOB_STATES,
  JOB_TRANSITIONS,
  type JobState,
  STAGE_STATES,
  STAGE_TRANSITIONS,
  type StageState,
  UPLOAD_STATES,
  type UploadState,
} from './states.js'
export {
  type CreatedUpload,
  type Dataset,
  datasets,
  type Model,
  models,
  type NewUpload,
  type Upload,
  type UploadFilter,
  type UploadRepository,
} from './uploads.js'
export { listUsageOfJob, type UsageOutcome, type UsageRow } from './usage.js'
export {
  type AttemptReport,
  claimDueDeliveries,
  DELIVERY_STATES,
  type DeliveryFilter,
  type DeliveryState,
  type DueDelivery,
  getDelivery,
  listAttempts,
  listDeliveries,
  recordAttempt,
  replayDelivery,
  type WebhookAttempt,
  type WebhookDelivery,
} from './webhook-deliveries.js'
export {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  getWebhookEndpoint,
  listWebhookEndpoints,
  rotateWebhookSecret,
  updateWebhookEndpoint,
  validSecrets,
  type WebhookEndpoint,
  type WebhookSecret,
} from './webhook-endpoints.js'
export {
  getWebhookMessage,
  insertWebhookMessage,
  listWebhookMessagesOfJob,
  MAX_WEBHOOK_BODY_BYTES,
  type NewWebhookMessage,
  WEBHOOK_EVENT_TYPES,
  type WebhookEventType,
  type WebhookMessage,
} from './webhook-messages.js'
export { announceWorker, dismissWorker, type WorkerNode } from './worker-nodes.js'
