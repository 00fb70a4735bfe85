import { calibrationBatchSize } from '@pare/calibration'
import type { Batch } from '@pare/datasets'
import type { Model } from '@pare/graph'

import type { StageContext } from './stage.js'
import { bindDataset, openStageData } from './stage-data.js'

/**
 * Hands the first `samples` of the input `calibration` (or `role`) to `use`, in batches, with the number there
 * really are. A batch of a fixed size is padded with its last sample.
 */
export async function withCalibrationBatches<Result>(
  context: StageContext,
  {
    model,
    samples,
    role = 'calibration',
  }: { readonly model: Model; readonly samples: number; readonly role?: string },
  use: (batches: AsyncIterable<Batch>, samples: number) => Promise<Result>,
): Promise<Result> {
  const { dataset, close } = await openStageData(context, role)
  try {
    const { inputs, fixedBatchSize } = bindDataset(dataset, model)
    const limit = Math.min(samples, dataset.samples)
    const batches = dataset.batches({
      inputs,
      batchSize: fixedBatchSize ?? calibrationBatchSize(model),
      limit,
      remainder: fixedBatchSize === null ? 'keep' : 'pad',
    })
    return await use(batches, limit)
  } finally {
    await close()
  }
}
