import { join } from 'node:path'

import { inspectDataset as inspect, normalizeDataset } from '@pare/datasets'
import { createFile, openFile } from '@pare/datasets/node'
import type { JsonObject } from '@pare/recipe'

import type { StageContext, StageResult } from './stage.js'
import { inputOf } from './stage-files.js'

/**
 * Checks an upload and rewrites it into the form that later stages read in place.
 *
 * Input `dataset`; params `labels?` (name of the labels array). Output `canonical`; the metrics are a
 * DatasetDescription.
 */
export async function inspectDataset(context: StageContext): Promise<StageResult> {
  const { labels } = context.params
  const upload = await openFile(inputOf(context, 'dataset').path)
  const path = join(context.workDir, 'dataset.npz')
  try {
    const description = await inspect(upload, {
      ...(typeof labels === 'string' ? { labels } : {}),
      onProgress: (progress) => context.onProgress({ ...progress, unit: 'arrays' }),
    })
    const sink = await createFile(path)
    await normalizeDataset(upload, sink)
    await sink.close()
    return {
      outputs: [{ role: 'canonical', path, mediaType: 'application/zip' }],
      metrics: description as unknown as JsonObject,
    }
  } finally {
    await upload.close()
  }
}
