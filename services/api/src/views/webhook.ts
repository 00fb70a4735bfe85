import type {
  WebhookDelivery as DeliveryView,
  WebhookDeliveryDetail as DeliveryDetailView,
  WebhookEndpoint as EndpointView,
} from '@pare/contracts'
import type {
  WebhookAttempt,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookMessage,
} from '@pare/database'

import { timeOf } from './job.js'

export function viewEndpoint(endpoint: WebhookEndpoint): EndpointView {
  return {
    id: endpoint.id,
    url: endpoint.url,
    description: endpoint.description,
    events: [...endpoint.events],
    enabled: endpoint.enabled,
    disabled_reason: endpoint.disabledReason,
    consecutive_failures: endpoint.consecutiveFailures,
    last_success_at: timeOf(endpoint.lastSuccessAt),
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString(),
  }
}

export function viewDelivery(delivery: WebhookDelivery): DeliveryView {
  return {
    id: delivery.id,
    message: delivery.messageId,
    endpoint: delivery.endpointId,
    type: delivery.type,
    job: delivery.jobId,
    state: delivery.state,
    attempts: delivery.attempts,
    next_attempt_at: timeOf(delivery.nextAttemptAt),
    created_at: delivery.createdAt.toISOString(),
    finished_at: timeOf(delivery.finishedAt),
  }
}

/** The receiver's address stays inside: it may be one of our own network. */
export function viewDeliveryDetail(
  delivery: WebhookDelivery,
  message: WebhookMessage,
  attempts: readonly WebhookAttempt[],
): DeliveryDetailView {
  return {
    ...viewDelivery(delivery),
    body: JSON.parse(message.body.toString()) as unknown,
    attempt_log: attempts.map((attempt) => ({
      number: attempt.number,
      started_at: attempt.startedAt.toISOString(),
      duration_ms: attempt.durationMs,
      status: attempt.status,
      error: attempt.error,
      response_snippet: attempt.responseSnippet,
    })),
  }
}
