import { calibrationBatchSize, type Feeds } from '@pare/calibration'
import type { RememberReads } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { type DataSource, takesSingleSamples } from '@pare/quantization'

import type { StageSetting } from './stage.js'
import { batchesFor, openStageData } from './stage-data.js'

export interface CalibrationSourcePart {
  readonly model: Model
  readonly samples: number
  readonly remember?: RememberReads
}

/**
 * The first `samples` of the input `calibration`, as often as an algorithm wants to look at them.
 */
export function calibrationSource(
  context: StageSetting<'calibration'>,
  { model, samples, remember }: CalibrationSourcePart,
): DataSource {
  const batchSize = takesSingleSamples(model) ? 1 : calibrationBatchSize(model)
  async function* batches(part: { samples: number; from?: number }): AsyncGenerator<Feeds> {
    const { dataset, close } = await openStageData(context, 'calibration', { remember })
    try {
      const offset = part.from ?? 0
      const limit = Math.max(0, Math.min(part.samples, samples - offset))
      const read = batchesFor(dataset, model, { batchSize, offset, limit })
      for await (const { feeds } of read) yield feeds
    } finally {
      await close()
    }
  }
  return { runtime: context.runtime, threads: context.threads, batches }
}
