// One id per request: the caller's X-Request-Id when it is harmless, else a new one; it is logged,
// answered, and named in problems.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

import fp from 'fastify-plugin'

const HARMLESS = /^[A-Za-z0-9._:-]{1,128}$/

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && HARMLESS.test(given) ? given : `req_${randomUUID()}`
}

export const requestId = fp(
  (app, _options, done) => {
    app.addHook('onRequest', (request, reply, next) => {
      void reply.header('x-request-id', request.id)
      next()
    })
    done()
  },
  { name: 'request-id' },
)
