// Counts and times every request by its route's template, never by its address.
import type { Metrics } from '@pare/observability'
import fp from 'fastify-plugin'

export const requestMetrics = fp<{ readonly metrics: Metrics }>(
  (app, { metrics }, done) => {
    app.addHook('onResponse', (request, reply, next) => {
      const labels = {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: String(reply.statusCode),
      }
      metrics.requestSeconds.observe(labels, reply.elapsedTime / 1000)
      next()
    })
    done()
  },
  { name: 'request-metrics' },
)
