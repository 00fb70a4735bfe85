export { type AddressGuard, addressGuard } from './address-guard.js'
export { type CheckedUrl, checkWebhookUrl, type WebhookPolicy } from './check-url.js'
export { type FailureClass } from './failure.js'
export type { ResolvedAddress, ResolveHost } from './guarded-connector.js'
export {
  type AttemptAnswer,
  decideOutcome,
  type Outcome,
  type RetryState,
} from './retry-schedule.js'
export { sendWebhook, type SendWebhookOptions, type SendWebhookResult } from './send-webhook.js'
export {
  generateWebhookSecret,
  type SignedMessage,
  type VerifyOptions,
  verifyWebhook,
} from './signature.js'
