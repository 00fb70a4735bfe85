import { ENGINE_VERSION } from '@pare/compression'
import type { Dataset as DatasetView } from '@pare/contracts'
import { datasets, type Tx } from '@pare/database'
import type { BlobInfo } from '@pare/storage'

import type { Outcome } from '../mutation.js'
import { viewDataset } from '../views/upload.js'

export interface UploadedDataset {
  readonly projectId: string
  readonly blob: BlobInfo
  readonly name: string | undefined
  /** Name of the labels array; absent: the inspection looks for `label` or `labels`. */
  readonly labels: string | undefined
  readonly mediaType: string
}

/** As `createModel`; the same bytes with other labels are another dataset. */
export async function createDataset(
  tx: Tx,
  dataset: UploadedDataset,
): Promise<Outcome<DatasetView>> {
  const { projectId, blob, labels, mediaType } = dataset
  const reading = labels === undefined ? {} : { labels }
  const { upload, created, ready } = await datasets.create(tx, {
    projectId,
    name: dataset.name ?? `dataset-${blob.sha256.slice(0, 8)}`,
    sha256: blob.sha256,
    sizeBytes: blob.sizeBytes,
    mediaType,
    options: reading,
    inspection: { kind: 'inspect_dataset', params: reading, engineVersion: ENGINE_VERSION },
  })
  const location = `/v1/datasets/${upload.id}`
  return { status: created ? 201 : 200, body: viewDataset(upload), location, ring: ready }
}
