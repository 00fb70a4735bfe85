// The OpenAPI document, made from the schemas that check requests and write answers, and its
// human-readable form. Both work without any other server.
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import {
  ApiKey,
  Artifact,
  Dataset,
  Job,
  JobEvent,
  JobPreview,
  Model,
  Problem,
  Recipe,
  Report,
  Stage,
  Target,
  WebhookDelivery,
  WebhookDeliveryDetail,
  WebhookEndpoint,
} from '@pare/contracts'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const COMPONENTS = [
  Problem,
  Recipe,
  Model,
  Dataset,
  Job,
  JobPreview,
  Stage,
  Artifact,
  JobEvent,
  Report,
  WebhookEndpoint,
  WebhookDelivery,
  WebhookDeliveryDetail,
  ApiKey,
  Target,
]

const DESCRIPTION = `Upload a trained ONNX model and a sample of its data, say what matters, get back a
smaller and faster model that was calibrated, quantized and evaluated, with a report that proves it.

Failures are \`application/problem+json\` (RFC 9457) with a stable \`code\`; \`type\` leads to its page.
Every POST takes an \`Idempotency-Key\`. Lists are pages: follow \`next_cursor\` until it is null.`

export const openapi = fp(
  async (app: FastifyInstance) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: { title: 'Pare', version: '1.0.0', description: DESCRIPTION },
        components: {
          securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'pare_…' } },
        },
        security: [{ apiKey: [] }],
      },
      refResolver: {
        buildLocalReference: (json, _baseUri, _fragment, i) =>
          typeof json['$id'] === 'string' ? json['$id'] : `schema-${i}`,
      },
    })
    for (const schema of COMPONENTS) app.addSchema(schema)
    await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  },
  { name: 'openapi' },
)
