export { type AddressGuard, addressGuard } from './address-guard.js'
export { type CheckedUrl, checkWebhookUrl, type WebhookPolicy } from './check-url.js'
export { errors as webhookErrors } from './errors.js'
export { FAILURE_CLASSES, type FailureClass } from './failure.js'
export type { ResolvedAddress, ResolveHost } from './guarded-connector.js'
export {
  type AttemptAnswer,
  decideOutcome,
  DISABLE_AFTER_MS,
  type Outcome,
  parseRetryAfter,
  RETRY_DELAYS_MS,
  type RetryState,
} from './retry-schedule.js'
export { sendWebhook, type SendWebhookOptions, type SendWebhookResult } from './send-webhook.js'
export {
  DEFAULT_TOLERANCE_SECONDS,
  generateWebhookSecret,
  type SignedMessage,
  signWebhook,
  type VerifyOptions,
  verifyWebhook,
  webhookHeaders,
} from './signature.js'
