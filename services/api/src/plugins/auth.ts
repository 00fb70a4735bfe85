// Bearer API keys. Every route inside this plugin's scope has a principal; which scope it needs
// follows from the method unless the route's config says otherwise.
import type { Scope } from '@pare/contracts'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import { errors } from '../errors.js'
import { allows, type Principal, type Principals } from '../principal.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Default: read for GET and HEAD, write for the rest. */
    scope?: Scope
  }
  interface FastifyRequest {
    /** Set by the auth plugin before any handler under /v1 runs. */
    principal: Principal
  }
}

/** Made keys are long and begin with pare_; an operator's own key (PARE_API_KEY) may look otherwise. */
export const KEY_PATTERN = /^[\x21-\x7e]{8,256}$/

export const auth = fp<{ readonly principals: Principals }>(
  (app, { principals }, done) => {
    app.decorateRequest('principal')
    app.addHook('onRequest', async (request) => {
      const principal = await authenticate(request, principals)
      const scope = request.routeOptions.config.scope ?? scopeOfMethod(request.method)
      if (!allows(principal, scope)) {
        throw errors.scope_missing(`this needs a key with the scope "${scope}"`, {
          details: { scope },
        })
      }
      request.principal = principal
    })
    done()
  },
  { name: 'auth' },
)

async function authenticate(request: FastifyRequest, principals: Principals): Promise<Principal> {
  const header = request.headers.authorization
  if (header === undefined) {
    throw errors.api_key_missing('send it as "Authorization: Bearer pare_…"')
  }
  const [scheme, key = ''] = header.split(' ', 2)
  const principal =
    scheme?.toLowerCase() === 'bearer' && KEY_PATTERN.test(key) ? await principals.find(key) : null
  if (principal === null) throw errors.api_key_invalid('it is unknown, revoked or expired')
  return principal
}

function scopeOfMethod(method: string): Scope {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}
