import type { WebhookDelivery as DeliveryView } from '@pare/contracts'
import { insertWebhookMessage, listDeliveries, type Tx, type WebhookEndpoint } from '@pare/database'

import { errors } from '../errors.js'
import type { Outcome } from '../mutation.js'
import { viewDelivery } from '../views/webhook.js'

/** Queues one delivery to this endpoint, whatever event types it asked for. */
export async function sendTestEvent(
  tx: Tx,
  { projectId, id, enabled }: WebhookEndpoint,
): Promise<Outcome<DeliveryView>> {
  const message = enabled
    ? await insertWebhookMessage(tx, {
        projectId,
        type: 'endpoint.test',
        data: { endpoint: id },
        at: new Date(),
        endpointId: id,
      })
    : null
  if (message === null) {
    throw errors.webhook_endpoint_disabled(`enable ${id} first`, { details: { id } })
  }
  const { rows } = await listDeliveries(tx, { projectId, endpointId: id, limit: 200 })
  const delivery = rows.find(({ messageId }) => messageId === message.id)
  if (delivery === undefined) throw new Error('the message was written without a delivery')
  const location = `/v1/webhook-deliveries/${delivery.id}`
  return { status: 202, body: viewDelivery(delivery), location }
}
