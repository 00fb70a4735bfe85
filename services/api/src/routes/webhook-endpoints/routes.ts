import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  getWebhookEndpoint,
  listWebhookEndpoints,
  updateWebhookEndpoint,
} from '@pare/database'
import { generateWebhookSecret } from '@pare/webhooks'

import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { checkEndpointUrl } from '../../use-cases/check-endpoint-url.js'
import { viewEndpoint } from '../../views/webhook.js'
import type { RoutePlugin } from '../route-plugin.js'
import { requireEndpoint } from './require-endpoint.js'
import {
  createEndpointSchema,
  deleteEndpointSchema,
  getEndpointSchema,
  listEndpointsSchema,
  updateEndpointSchema,
} from './schemas.js'

export const webhookEndpointRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, cursors, settings } = deps

  app.post('/webhook-endpoints', { schema: createEndpointSchema }, (request, reply) => {
    const { projectId } = request.principal
    return runMutation(deps, { request, reply }, async (tx) => {
      checkEndpointUrl(request.body.url, settings)
      const secret = generateWebhookSecret()
      const endpoint = await createWebhookEndpoint(tx, { projectId, secret, ...request.body })
      const stored = viewEndpoint(endpoint)
      const location = `/v1/webhook-endpoints/${endpoint.id}`
      return { status: 201, body: { ...stored, secret }, stored, location }
    })
  })

  app.get('/webhook-endpoints', { schema: listEndpointsSchema }, (request, reply) => {
    const { projectId } = request.principal
    return answerPage({
      ...{ request, reply, cursors, filters: {} },
      fetch: (page) => listWebhookEndpoints(pool, { projectId, ...page }),
      view: viewEndpoint,
    })
  })

  app.get('/webhook-endpoints/:id', { schema: getEndpointSchema }, async (request) => {
    const { id } = request.params
    const { projectId } = request.principal
    return viewEndpoint(requireEndpoint(await getWebhookEndpoint(pool, { projectId, id }), id))
  })

  app.patch('/webhook-endpoints/:id', { schema: updateEndpointSchema }, async (request) => {
    const { id } = request.params
    const { projectId } = request.principal
    if (request.body.url !== undefined) checkEndpointUrl(request.body.url, settings)
    const endpoint = await updateWebhookEndpoint(pool, { projectId, id, ...request.body })
    return viewEndpoint(requireEndpoint(endpoint, id))
  })

  app.delete('/webhook-endpoints/:id', { schema: deleteEndpointSchema }, async (request, reply) => {
    const { id } = request.params
    const { projectId } = request.principal
    if (!(await deleteWebhookEndpoint(pool, { projectId, id }))) requireEndpoint(null, id)
    return reply.code(204).send(null)
  })

  done()
}
