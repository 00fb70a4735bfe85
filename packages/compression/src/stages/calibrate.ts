import { calibrate as collect, calibrationBatchSize, type StatisticsKind } from '@pare/calibration'
import type { Batch, Dataset } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { decodeModel } from '@pare/onnx'
import { observationPoints } from '@pare/quantization'

import type { StepOf } from '../recipe/recipe.js'
import type { StageContext, StageResult } from './stage.js'
import { bindDataset, openStageData } from './stage-data.js'
import { readInput, writeJson } from './stage-files.js'

type Params = Pick<StepOf<'quantize_static'>['calibration'], 'samples' | 'stop_below_drift'> & {
  readonly kind: StatisticsKind
}

/**
 * Runs the prepared model over the data and records the range of every value that could be
 * quantized, or its distribution where the method needs that. It observes the points of the default options, a superset of every other choice, so
 * that jobs with different options share the statistics.
 *
 * Inputs `model`, `calibration`; params `kind`, and `samples` and `stop_below_drift` as the
 * step's. Output `statistics`.
 */
export async function calibrate(context: StageContext): Promise<StageResult> {
  const { kind, samples, stop_below_drift: stopBelowDrift } = context.params as unknown as Params
  const model = decodeModel(await readInput(context, 'model'))
  const { dataset, close } = await openStageData(context, 'calibration')
  const total = Math.min(samples, dataset.samples)
  try {
    const points = observationPoints(model)
    const statistics = await collect({
      model,
      points,
      runtime: context.runtime,
      batches: batchesOf(dataset, model, total),
      kind,
      stopBelowDrift,
      threads: context.threads,
      device: context.device,
      onProgress: ({ samples: done }) =>
        context.onProgress({ done: Math.min(done, total), total, unit: 'samples' }),
    })
    return {
      outputs: [await writeJson(context, 'statistics', statistics)],
      metrics: { kind, samples: statistics.samples, values: points.length },
    }
  } finally {
    await close()
  }
}

function batchesOf(dataset: Dataset, model: Model, limit: number): AsyncGenerator<Batch> {
  const { inputs, fixedBatchSize } = bindDataset(dataset, model)
  const batchSize = calibrationBatchSize(model)
  const remainder = fixedBatchSize === null ? 'keep' : 'pad'
  return dataset.batches({ inputs, batchSize, limit, remainder })
}
