import { join } from 'node:path'

import { inspectDataset as inspect, normalizeDataset } from '@pare/datasets'
import { createFile, openFile } from '@pare/datasets/node'
import { toJsonObject } from '@pare/recipe'

import type { StageFunction } from './stage.js'
import { inputOf } from './stage-files.js'

/**
 * Checks an upload and rewrites it into the form that later stages read in place.
 *
 * Input `dataset`; params `labels?` (name of the labels array). Output `canonical`; the metrics are a
 * DatasetDescription.
 */
export const run: StageFunction<'inspect_dataset'> = async (context) => {
  const { labels } = context.params
  const upload = await openFile(inputOf(context, 'dataset').path)
  const path = join(context.workDir, 'dataset.npz')
  try {
    const description = await inspect(upload, {
      ...(labels === undefined ? {} : { labels }),
      onProgress: (progress) => context.onProgress({ ...progress, unit: 'arrays' }),
    })
    const sink = await createFile(path)
    await normalizeDataset(upload, sink)
    await sink.close()
    return {
      outputs: [{ role: 'canonical', path, mediaType: 'application/zip' }],
      metrics: toJsonObject(description),
    }
  } finally {
    await upload.close()
  }
}
