import type { WebhookEndpoint } from '@pare/database'

import { errors } from '../../errors.js'

export function requireEndpoint(endpoint: WebhookEndpoint | null, id: string): WebhookEndpoint {
  if (endpoint !== null) return endpoint
  throw errors.webhook_endpoint_not_found(`there is no webhook endpoint ${id.slice(0, 64)}`)
}
