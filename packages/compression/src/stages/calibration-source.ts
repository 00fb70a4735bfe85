import { calibrationBatchSize, type Feeds } from '@pare/calibration'
import type { Model } from '@pare/graph'
import { type DataSource, takesSingleSamples } from '@pare/quantization'

import type { StageContext } from './stage.js'
import { bindDataset, openStageData } from './stage-data.js'

/**
 * The first `samples` of the input `calibration`, as often as an algorithm wants to look at them. A
 * batch of a fixed size is padded with its last sample.
 */
export function calibrationSource(
  context: StageContext,
  { model, samples }: { readonly model: Model; readonly samples: number },
): DataSource {
  const batchSize = takesSingleSamples(model) ? 1 : calibrationBatchSize(model)
  async function* batches(part: { samples: number; from?: number }): AsyncGenerator<Feeds> {
    const { dataset, close } = await openStageData(context, 'calibration')
    try {
      const { inputs, fixedBatchSize } = bindDataset(dataset, model)
      const offset = part.from ?? 0
      const read = dataset.batches({
        inputs,
        batchSize: fixedBatchSize ?? batchSize,
        offset,
        limit: Math.max(0, Math.min(part.samples, samples - offset)),
        remainder: fixedBatchSize === null ? 'keep' : 'pad',
      })
      for await (const { feeds } of read) yield feeds
    } finally {
      await close()
    }
  }
  return { runtime: context.runtime, threads: context.threads, batches }
}
