import { calibrationBatchSize, type Feeds } from '@pare/calibration'
import type { Dataset } from '@pare/datasets'
import type { Model } from '@pare/graph'

import type { StageContext } from './stage.js'
import { bindDataset, openStageData } from './stage-data.js'

/**
 * Hands the first `samples` of the input `calibration` to `use`, in batches, with the number there
 * really are. A batch of a fixed size is padded with its last sample.
 */
export async function withCalibrationFeeds<Result>(
  context: StageContext,
  { model, samples }: { readonly model: Model; readonly samples: number },
  use: (batches: AsyncIterable<Feeds>, samples: number) => Promise<Result>,
): Promise<Result> {
  const { dataset, close } = await openStageData(context, 'calibration')
  const count = Math.min(samples, dataset.samples)
  try {
    return await use(feedsOf(dataset, model, count), count)
  } finally {
    await close()
  }
}

async function* feedsOf(dataset: Dataset, model: Model, limit: number): AsyncGenerator<Feeds> {
  const { inputs, fixedBatchSize } = bindDataset(dataset, model)
  const batchSize = calibrationBatchSize(model)
  const remainder = fixedBatchSize === null ? 'keep' : 'pad'
  for await (const { feeds } of dataset.batches({ inputs, batchSize, limit, remainder }))
    yield feeds
}
