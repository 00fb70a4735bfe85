import { calibrationBatchSize } from '@pare/calibration'
import type { Batch, RememberReads } from '@pare/datasets'
import type { Model } from '@pare/graph'
import type { CalibrateModelOptions } from '@pare/quantization'

import type { StageSetting } from './stage.js'
import { batchesFor, openStageData } from './stage-data.js'

export interface CalibrationPart {
  readonly model: Model
  readonly samples: number
  /** Where the model does not insist on another; default the fastest. */
  readonly batchSize?: number
  /** Of the data set that is read. */
  readonly remember?: RememberReads
}

/**
 * Hands the first `samples` of the input `calibration` (or `role`) to `use`, in batches, with the number there
 * really are.
 */
export async function withCalibrationBatches<Result, Role extends string = never>(
  context: StageSetting<Role | 'calibration'>,
  {
    model,
    samples,
    role = 'calibration',
    batchSize = calibrationBatchSize(model),
    remember,
  }: CalibrationPart & { readonly role?: NoInfer<Role> | 'calibration' },
  use: (batches: AsyncIterable<Batch>, samples: number) => Promise<Result>,
): Promise<Result> {
  const { dataset, close } = await openStageData(context, role, { remember })
  try {
    const limit = Math.min(samples, dataset.samples)
    return await use(batchesFor(dataset, model, { batchSize, limit }), limit)
  } finally {
    await close()
  }
}

/** The same for `calibrateModel`; `onPass` is told of each reading and may put something in between. */
export function calibrationReader(
  context: StageSetting<'calibration'>,
  part: CalibrationPart,
  onPass: (batches: AsyncIterable<Batch>, samples: number) => AsyncIterable<Batch> = (all) => all,
): CalibrateModelOptions['read'] {
  return (use, { single }) =>
    withCalibrationBatches(
      context,
      { ...part, ...(single ? { batchSize: 1 } : {}) },
      (batches, samples) => use(onPass(batches, samples), samples),
    )
}
