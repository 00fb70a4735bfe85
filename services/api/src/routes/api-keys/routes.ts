import { listApiKeys, revokeApiKey } from '@pare/database'

import { errors } from '../../errors.js'
import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { createApiKey } from '../../use-cases/create-api-key.js'
import { viewApiKey } from '../../views/api-key.js'
import type { RoutePlugin } from '../route-plugin.js'
import { createApiKeySchema, listApiKeysSchema, revokeApiKeySchema } from './schemas.js'

const config = { scope: 'admin' } as const

export const apiKeyRoutes: RoutePlugin = (app, { deps, principals }, done) => {
  const { pool, cursors } = deps

  app.post('/api-keys', { config, schema: createApiKeySchema }, (request, reply) =>
    runMutation(deps, { request, reply }, (tx) =>
      createApiKey(tx, request.principal.projectId, request.body),
    ),
  )

  app.get('/api-keys', { config, schema: listApiKeysSchema }, (request, reply) => {
    const { projectId } = request.principal
    return answerPage({
      ...{ request, reply, cursors, filters: {} },
      fetch: (page) => listApiKeys(pool, { projectId, ...page }),
      view: viewApiKey,
    })
  })

  app.delete('/api-keys/:id', { config, schema: revokeApiKeySchema }, async (request) => {
    const { id } = request.params
    const key = await revokeApiKey(pool, { projectId: request.principal.projectId, id })
    if (key === null) throw errors.api_key_not_found(`there is no API key ${id.slice(0, 64)}`)
    principals.forget()
    return viewApiKey(key)
  })

  done()
}
