import { getWebhookEndpoint, rotateWebhookSecret } from '@pare/database'
import { generateWebhookSecret } from '@pare/webhooks'

import { runMutation } from '../../mutation.js'
import { sendTestEvent } from '../../use-cases/send-test-event.js'
import { viewEndpoint } from '../../views/webhook.js'
import type { RoutePlugin } from '../route-plugin.js'
import { requireEndpoint } from './require-endpoint.js'
import { rotateSecretSchema, testEndpointSchema } from './schemas.js'

const DEFAULT_OVERLAP_SECONDS = 86_400

export const webhookEndpointActionRoutes: RoutePlugin = (app, { deps }, done) => {
  app.post(
    '/webhook-endpoints/:id/rotate-secret',
    { schema: rotateSecretSchema },
    (request, reply) => {
      const { id } = request.params
      const { projectId } = request.principal
      const { overlap_seconds: overlap = DEFAULT_OVERLAP_SECONDS } = request.body
      return runMutation(deps, { request, reply }, async (tx) => {
        const secret = generateWebhookSecret()
        const change = { projectId, id, secret, overlapMs: overlap * 1000 }
        const stored = viewEndpoint(requireEndpoint(await rotateWebhookSecret(tx, change), id))
        return { status: 200, body: { ...stored, secret }, stored }
      })
    },
  )

  app.post('/webhook-endpoints/:id/test', { schema: testEndpointSchema }, (request, reply) => {
    const { id } = request.params
    const { projectId } = request.principal
    return runMutation(deps, { request, reply }, async (tx) =>
      sendTestEvent(tx, requireEndpoint(await getWebhookEndpoint(tx, { projectId, id }), id)),
    )
  })

  done()
}
