import { InputWatch } from '@pare/calibration'
import { calibrateModel } from '@pare/quantization'

import { assessDataQuality, watchedOnce } from './data-quality.js'
import { runningModel } from './running-model.js'
import type { StageFunction } from './stage.js'
import { computeOf, withSamples } from './stage-data.js'
import { readModel, writeJson } from './stage-files.js'

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
export const run: StageFunction<'calibrate'> = async (context) => {
  const { kind, samples, stop_below_drift: stopBelowDrift } = context.params
  const { model } = await runningModel(context, await readModel(context, 'model'), { samples })
  const inputs = new InputWatch()
  const data = { role: 'calibration', model, samples } as const
  const statistics = await withSamples(context, data, (source) =>
    calibrateModel({
      ...{ ...computeOf(context), model, kind, stopBelowDrift },
      source: watchedOnce(source, inputs),
      onProgress: ({ samples: done }) => {
        const total = source.samples
        context.onProgress({ done: Math.min(done, total), total, unit: 'samples' })
      },
    }),
  )
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
