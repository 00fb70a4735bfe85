import { type Model, models } from '@pare/database'

import { errors } from '../../errors.js'
import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { createModel } from '../../use-cases/create-model.js'
import { deleteUpload } from '../../use-cases/delete-upload.js'
import { storeUpload } from '../../use-cases/store-upload.js'
import { viewModel } from '../../views/upload.js'
import { mediaTypeOf, takeRawBodies } from '../raw-body.js'
import type { RoutePlugin } from '../route-plugin.js'
import {
  createModelSchema,
  deleteModelSchema,
  getModelSchema,
  listModelsSchema,
} from './schemas.js'

export const modelRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, store, cursors, settings } = deps
  takeRawBodies(app)

  app.post('/models', { schema: createModelSchema }, async (request, reply) => {
    const { projectId } = request.principal
    const blob = await storeUpload(store, request.raw, { maxBytes: settings.maxUploadBytes })
    const mediaType = mediaTypeOf(request.headers['content-type'])
    const { name } = request.query
    return runMutation(deps, { request, reply, bodyHash: blob.sha256 }, (tx) =>
      createModel(tx, { projectId, blob, name, mediaType }),
    )
  })

  app.get('/models', { schema: listModelsSchema }, (request, reply) => {
    const { state, name, sha256 } = request.query
    const { projectId } = request.principal
    const filter = { states: state === undefined ? undefined : [state], name, sha256 }
    const fetch = (page: object & { limit: number }) =>
      models.list(pool, { projectId, ...filter, ...page })
    return answerPage({ request, reply, cursors, filters: filter, fetch, view: viewModel })
  })

  app.get('/models/:id', { schema: getModelSchema }, async (request) => {
    const { projectId } = request.principal
    const model = await models.get(pool, { projectId, id: request.params.id })
    return viewModel(requireModel(model, request.params.id))
  })

  app.delete('/models/:id', { schema: deleteModelSchema }, async (request, reply) => {
    const { id } = request.params
    const deleted = await deleteUpload(pool, models, { projectId: request.principal.projectId, id })
    if (!deleted) requireModel(null, id)
    return reply.code(204).send(null)
  })

  done()
}

function requireModel(model: Model | null, id: string): Model {
  if (model !== null && model.state !== 'deleted') return model
  throw errors.model_not_found(`there is no model ${id.slice(0, 64)}`)
}
