import { ENGINE_VERSION } from '@pare/compression'
import type { Model as ModelView } from '@pare/contracts'
import { models, type Tx } from '@pare/database'
import type { BlobInfo } from '@pare/storage'

import type { Outcome } from '../mutation.js'
import { viewModel } from '../views/upload.js'

export interface UploadedModel {
  readonly projectId: string
  readonly blob: BlobInfo
  readonly name: string | undefined
  readonly mediaType: string
}

/** Writes the row and queues its inspection; bytes that the project has already give its row. */
export async function createModel(tx: Tx, model: UploadedModel): Promise<Outcome<ModelView>> {
  const { projectId, blob, mediaType } = model
  const { upload, created, ready } = await models.create(tx, {
    projectId,
    name: model.name ?? `model-${blob.sha256.slice(0, 8)}`,
    sha256: blob.sha256,
    sizeBytes: blob.sizeBytes,
    mediaType,
    inspection: { kind: 'inspect_model', params: {}, engineVersion: ENGINE_VERSION },
  })
  const location = `/v1/models/${upload.id}`
  return { status: created ? 201 : 200, body: viewModel(upload), location, ring: ready }
}
