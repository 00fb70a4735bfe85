import { type Dataset, datasets } from '@pare/database'

import { errors } from '../../errors.js'
import { runMutation } from '../../mutation.js'
import { answerPage } from '../../paging.js'
import { createDataset } from '../../use-cases/create-dataset.js'
import { deleteUpload } from '../../use-cases/delete-upload.js'
import { storeUpload } from '../../use-cases/store-upload.js'
import { viewDataset } from '../../views/upload.js'
import { mediaTypeOf, takeRawBodies } from '../raw-body.js'
import type { RoutePlugin } from '../route-plugin.js'
import {
  createDatasetSchema,
  deleteDatasetSchema,
  getDatasetSchema,
  listDatasetsSchema,
} from './schemas.js'

export const datasetRoutes: RoutePlugin = (app, { deps }, done) => {
  const { pool, store, cursors, settings } = deps
  takeRawBodies(app)

  app.post('/datasets', { schema: createDatasetSchema }, async (request, reply) => {
    const { projectId } = request.principal
    const blob = await storeUpload(store, request.raw, { maxBytes: settings.maxUploadBytes })
    const mediaType = mediaTypeOf(request.headers['content-type'])
    const { name, labels } = request.query
    return runMutation(deps, { request, reply, bodyHash: blob.sha256 }, (tx) =>
      createDataset(tx, { projectId, blob, name, labels, mediaType }),
    )
  })

  app.get('/datasets', { schema: listDatasetsSchema }, (request, reply) => {
    const { state, name, sha256 } = request.query
    const { projectId } = request.principal
    const filter = { states: state === undefined ? undefined : [state], name, sha256 }
    const fetch = (page: object & { limit: number }) =>
      datasets.list(pool, { projectId, ...filter, ...page })
    return answerPage({ request, reply, cursors, filters: filter, fetch, view: viewDataset })
  })

  app.get('/datasets/:id', { schema: getDatasetSchema }, async (request) => {
    const { projectId } = request.principal
    const dataset = await datasets.get(pool, { projectId, id: request.params.id })
    return viewDataset(requireDataset(dataset, request.params.id))
  })

  app.delete('/datasets/:id', { schema: deleteDatasetSchema }, async (request, reply) => {
    const { id } = request.params
    const deleted = await deleteUpload(pool, datasets, {
      projectId: request.principal.projectId,
      id,
    })
    if (!deleted) requireDataset(null, id)
    return reply.code(204).send(null)
  })

  done()
}

function requireDataset(dataset: Dataset | null, id: string): Dataset {
  if (dataset !== null && dataset.state !== 'deleted') return dataset
  throw errors.dataset_not_found(`there is no dataset ${id.slice(0, 64)}`)
}
