// The application as one ordered list. What stands higher runs earlier.
import helmet from '@fastify/helmet'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'

import type { ApiDeps } from './deps.js'
import { auth } from './plugins/auth.js'
import { closing } from './plugins/closing.js'
import { errorHandler, handleError } from './plugins/error-handler.js'
import { requestMetrics } from './plugins/metrics.js'
import { openapi } from './plugins/openapi.js'
import { rateLimit } from './plugins/rate-limit.js'
import { requestId, requestIdOf } from './plugins/request-id.js'
import { compileValidator } from './plugins/validation.js'
import { createPrincipals } from './principal.js'
import { apiKeyRoutes } from './routes/api-keys/routes.js'
import { artifactRoutes } from './routes/artifacts/routes.js'
import { datasetRoutes } from './routes/datasets/routes.js'
import { errorPages } from './routes/docs/error-pages.js'
import { healthRoutes } from './routes/health/routes.js'
import { jobPartRoutes } from './routes/jobs/part-routes.js'
import { jobRoutes } from './routes/jobs/routes.js'
import { modelRoutes } from './routes/models/routes.js'
import type { RouteOptions } from './routes/route-plugin.js'
import { targetRoutes } from './routes/targets/routes.js'
import { webhookDeliveryRoutes } from './routes/webhook-deliveries/routes.js'
import { webhookEndpointActionRoutes } from './routes/webhook-endpoints/action-routes.js'
import { webhookEndpointRoutes } from './routes/webhook-endpoints/routes.js'

/** Long enough for a large upload over a slow line; a stalled one ends by the socket's timeout. */
const REQUEST_TIMEOUT_MS = 6 * 3_600_000
const SOCKET_TIMEOUT_MS = 120_000

export async function buildApp(deps: ApiDeps): Promise<FastifyInstance> {
  const { settings, metrics, pool } = deps
  // fastify's type parameters would otherwise carry pino's logger into every plugin.
  const loggerInstance: FastifyBaseLogger = deps.logger
  const app = Fastify({
    loggerInstance,
    bodyLimit: settings.maxBodyBytes,
    connectionTimeout: SOCKET_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logController: new LogController({ disableRequestLogging: true }),
    return503OnClosing: false,
    genReqId: requestIdOf,
    frameworkErrors: handleError,
  }).withTypeProvider<TypeBoxTypeProvider>()
  const principals = createPrincipals(pool, settings.apiKeyCacheMs)
  const options: RouteOptions = { deps, principals }

  app.setValidatorCompiler(compileValidator)
  await app.register(requestId)
  await app.register(errorHandler)
  await app.register(closing, { events: deps.events })
  await app.register(requestMetrics, { metrics })
  await app.register(helmet)
  await app.register(openapi)
  await app.register(healthRoutes, options)
  await app.register(errorPages, options)
  await app.register(
    async (v1) => {
      await v1.register(auth, { principals })
      await v1.register(rateLimit, { requestsPerMinute: settings.requestsPerMinute })
      await v1.register(modelRoutes, options)
      await v1.register(datasetRoutes, options)
      await v1.register(jobRoutes, options)
      await v1.register(jobPartRoutes, options)
      await v1.register(artifactRoutes, options)
      await v1.register(webhookEndpointRoutes, options)
      await v1.register(webhookEndpointActionRoutes, options)
      await v1.register(webhookDeliveryRoutes, options)
      await v1.register(apiKeyRoutes, options)
      await v1.register(targetRoutes, options)
    },
    { prefix: '/v1' },
  )
  return app
}
