import {
  errors as databaseErrors,
  getDelivery,
  getWebhookMessage,
  listAttempts,
  listDeliveries,
  replayDelivery,
} from '@pare/database'

import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { viewDelivery, viewDeliveryDetail } from '../../views/webhook.js'
import type { RoutePlugin } from '../route-plugin.js'
import { getDeliverySchema, listDeliveriesSchema, replayDeliverySchema } from './schemas.js'

export const webhookDeliveryRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, cursors } = deps

  app.get('/webhook-deliveries', { schema: listDeliveriesSchema }, (request, reply) => {
    const { endpoint, job, state } = request.query
    const filters = {
      endpointId: endpoint,
      jobId: job,
      states: state === undefined ? undefined : [state],
    }
    const { projectId } = request.principal
    return answerPage({
      ...{ request, reply, cursors, filters },
      fetch: (page) => listDeliveries(pool, { projectId, ...filters, ...page }),
      view: viewDelivery,
    })
  })

  app.get('/webhook-deliveries/:id', { schema: getDeliverySchema }, async (request) => {
    const { id } = request.params
    const { projectId } = request.principal
    const delivery = await getDelivery(pool, { projectId, id })
    const message =
      delivery && (await getWebhookMessage(pool, { projectId, id: delivery.messageId }))
    if (delivery === null || message === null) {
      throw databaseErrors.webhook_delivery_not_found(`there is no delivery ${id.slice(0, 64)}`)
    }
    return viewDeliveryDetail(delivery, message, await listAttempts(pool, delivery.id))
  })

  app.post('/webhook-deliveries/:id/replay', { schema: replayDeliverySchema }, (request, reply) => {
    const { projectId } = request.principal
    return runMutation(deps, { request, reply }, async (tx) => {
      const delivery = await replayDelivery(tx, { projectId, id: request.params.id })
      return { status: 202, body: viewDelivery(delivery) }
    })
  })

  done()
}
