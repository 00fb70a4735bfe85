import { InputWatch, type StatisticsKind } from '@pare/calibration'
import { calibrateModel } from '@pare/quantization'
import type { StepOf } from '@pare/recipe'

import { calibrationReader } from './calibration-batches.js'
import { assessDataQuality, watchedOnce } from './data-quality.js'
import { runningModel } from './running-model.js'
import type { StageContext, StageResult } from './stage.js'
import { readModel, writeJson } from './stage-files.js'

type Params = Pick<StepOf<'quantize_static'>['calibration'], 'samples' | 'stop_below_drift'> & {
  readonly kind: StatisticsKind
}

/**
 * Runs the prepared model over the data and records the range of every value that could be
 * quantized, in branches of If too, or its distribution where the method needs that. It observes the
 * points of the default options, which serve every other choice, so that jobs with different options
 * share them.
 *
 * Inputs `model`, `batch`, `calibration`, and `validation` where its data shall be compared; params
 * `kind`, and `samples` and `stop_below_drift` as the step's. Outputs `statistics`, and
 * `data_quality`: what there is to say about the data.
 */
export async function calibrate(context: StageContext): Promise<StageResult> {
  const { kind, samples, stop_below_drift: stopBelowDrift } = context.params as unknown as Params
  const { model } = await runningModel(context, await readModel(context, 'model'), { samples })
  const inputs = new InputWatch()
  let total = samples
  const watchOnce = watchedOnce(inputs)
  const statistics = await calibrateModel({
    ...{ model, kind, stopBelowDrift },
    read: calibrationReader(context, { model, samples }, (batches, count) => {
      total = count
      return watchOnce(batches)
    }),
    runtime: context.runtime,
    threads: context.threads,
    device: context.device,
    onProgress: ({ samples: done }) =>
      context.onProgress({ done: Math.min(done, total), total, unit: 'samples' }),
  })
  const quality = await assessDataQuality(context, { model, inputs, statistics })
  return {
    outputs: [
      await writeJson(context, 'statistics', statistics),
      await writeJson(context, 'data_quality', quality),
    ],
    metrics: {
      ...{ kind, samples: statistics.samples, values: Object.keys(statistics.tensors).length },
      data_diagnostics: quality.diagnostics.length,
    },
  }
}
