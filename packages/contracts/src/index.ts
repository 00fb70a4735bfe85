export { ApiKey, ApiKeyCreate, type Scope, SCOPES } from './api-key.js'
export {
  Job,
  JOB_STATES,
  JobCreate,
  JobOverrides,
  JobPreview,
  JobProgress,
  StageSummary,
  TERMINAL_JOB_STATES,
} from './job.js'
export { Artifact, JobEvent, Report, Stage } from './job-parts.js'
export { Problem, PROBLEM_MEDIA_TYPE, ProblemPart } from './problem.js'
export { Recipe, type RecipeInput } from './recipe.js'
export {
  AnyObject,
  idOf,
  Labels,
  nullable,
  pageOf,
  ref,
  Sha256,
  Timestamp,
  words,
} from './schema.js'
export { Target } from './target.js'
export { Dataset, Model, UPLOAD_STATES, ValueSummary } from './upload.js'
export {
  SecretRotation,
  WEBHOOK_EVENT_TYPES,
  WebhookAttempt,
  WebhookDelivery,
  WebhookDeliveryDetail,
  WebhookEndpoint,
  WebhookEndpointCreate,
  WebhookEndpointUpdate,
} from './webhook.js'
