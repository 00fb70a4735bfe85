import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'

import type { ApiDeps } from '../deps.js'
import type { Principals } from '../principal.js'

export interface RouteOptions {
  readonly deps: ApiDeps
  readonly principals: Principals
}

/** A folder of routes: gets what it needs as options. */
export type RoutePlugin = FastifyPluginCallbackTypebox<RouteOptions>
