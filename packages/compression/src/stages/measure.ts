import { measure, type Measurement } from '@pare/evaluation'
import type { JsonObject } from '@pare/recipe'

import type { StageFunction } from './stage.js'
import { openStageData } from './stage-data.js'
import { readStoredModel, writeJson } from './stage-files.js'

/**
 * Measures a model between two steps, beside the original: its size and work; with `judges` what it
 * lost, with `times` its speed. The metrics decide what follows.
 *
 * Inputs `original`, `result`, `data`; params as the catalogue's. Output `measurement`, a Measurement.
 */
export const run: StageFunction<'measure'> = async (context) => {
  const { metric, output, labels, device, threads, judges, times } = context.params
  const { dataset, close } = await openStageData(context, 'data', { labels })
  try {
    const measurement = await measure({
      runtime: context.runtime,
      original: await readStoredModel(context, 'original'),
      result: await readStoredModel(context, 'result'),
      ...{ dataset, metric, judges, times },
      ...(output === undefined ? {} : { output }),
      target: { device, threads },
      onProgress: (progress) => context.onProgress(progress),
    })
    return {
      outputs: [await writeJson(context, 'measurement', measurement)],
      metrics: headline(measurement),
    }
  } finally {
    await close()
  }
}

function headline({ primary, original, result, latency }: Measurement): JsonObject {
  const { name: metric, drop } = primary ?? {}
  return {
    ...(metric === undefined || drop === undefined ? {} : { metric, drop }),
    size: result.size.bytes / original.size.bytes,
    size_gzip: result.size.gzip_bytes / original.size.gzip_bytes,
    sparsity: result.sparsity,
    ...(latency === null ? {} : { speed: latency.speedup }),
  }
}
