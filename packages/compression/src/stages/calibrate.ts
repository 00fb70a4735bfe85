import { calibrate as collect, calibrationBatchSize, type Feeds } from '@pare/calibration'
import type { Dataset } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { decodeModel } from '@pare/onnx'
import { observationPoints } from '@pare/quantization'

import type { StepOf } from '../recipe/recipe.js'
import type { StageContext, StageResult } from './stage.js'
import { bindDataset, openStageData } from './stage-data.js'
import { readInput, writeJson } from './stage-files.js'

type CalibrationParams = StepOf<'quantize_static'>['calibration']

/**
 * Runs the prepared model over the data and records the range of every value that could be
 * quantized. It observes the points of the default options, a superset of every other choice, so
 * that jobs with different options share the statistics.
 *
 * Inputs `model`, `calibration`; params as the step's `calibration`. Output `statistics`.
 */
export async function calibrate(context: StageContext): Promise<StageResult> {
  const { method, samples } = context.params as unknown as CalibrationParams
  const model = decodeModel(await readInput(context, 'model'))
  const { dataset, close } = await openStageData(context, 'calibration')
  const total = Math.min(samples, dataset.samples)
  try {
    const points = observationPoints(model)
    const statistics = await collect({
      model,
      points,
      runtime: context.runtime,
      batches: feedsOf(dataset, model, total),
      kind: method,
      threads: context.threads,
      device: context.device,
      onProgress: ({ samples: done }) =>
        context.onProgress({ done: Math.min(done, total), total, unit: 'samples' }),
    })
    return {
      outputs: [await writeJson(context, 'statistics', statistics)],
      metrics: { method, samples: total, values: points.length },
    }
  } finally {
    await close()
  }
}

/** A padded batch repeats its last sample, which changes no range. */
async function* feedsOf(dataset: Dataset, model: Model, limit: number): AsyncGenerator<Feeds> {
  const { inputs } = bindDataset(dataset, model)
  const batchSize = calibrationBatchSize(model)
  const remainder = bindDataset(dataset, model).fixedBatchSize === null ? 'keep' : 'pad'
  for await (const { feeds } of dataset.batches({ inputs, batchSize, limit, remainder }))
    yield feeds
}
