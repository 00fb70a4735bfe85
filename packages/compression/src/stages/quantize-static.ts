import { parseStatistics, withRangesOf } from '@pare/calibration'
import { decodeModel, encodeModelChunks } from '@pare/onnx'
import { type QuantizeStaticOptions, quantizeVerified, type TargetIsa } from '@pare/quantization'

import type { StepOf } from '../recipe/recipe.js'
import { optimizeWith } from './optimize-model.js'
import type { JsonObject, StageContext, StageResult } from './stage.js'
import { readInput, readJsonInput, writeJson, writeModel } from './stage-files.js'

type Step = StepOf<'quantize_static'>

type Params = Omit<Step, 'type' | 'calibration'> & {
  readonly calibration: Omit<Step['calibration'], 'samples' | 'stop_below_drift'>
  readonly isa: TargetIsa
}

/**
 * Quantizes weights and activations to integers, reads back what onnxruntime makes of the result,
 * and takes back what it would not compute in integers.
 *
 * Inputs `model`, `statistics`; params as the step's, with `isa` and of
 * `calibration` what chooses ranges. Outputs `model`, `decisions`.
 */
export async function quantizeStatic(context: StageContext): Promise<StageResult> {
  const params = context.params as unknown as Params
  const { method, percentile, moving_average_constant: movingAverageConstant } = params.calibration
  const statistics = parseStatistics(await readJsonInput(context, 'statistics'))
  const { model, layers, diagnostics, rounds } = await quantizeVerified({
    model: decodeModel(await readInput(context, 'model')),
    statistics: withRangesOf(statistics, method, {
      percentile,
      movingAverageConstant,
      symmetric: params.symmetric,
    }),
    options: toOptions(params),
    optimize: optimizeWith(context),
  })
  const integers = layers.filter(({ decision }) => decision === 'integer')
  return {
    outputs: [
      await writeModel(context, encodeModelChunks(model)),
      await writeJson(context, 'decisions', { layers, diagnostics }),
    ],
    metrics: {
      layers_integer: integers.length,
      layers_float: layers.length - integers.length,
      read_back_rounds: rounds,
    } satisfies JsonObject,
  }
}

/** From the wire's words to the library's. */
function toOptions(params: Params): QuantizeStaticOptions {
  const { op_types_to_quantize: opTypes } = params
  return {
    activationType: params.activation_type,
    weightType: params.weight_type,
    perChannel: params.per_channel,
    symmetric: params.symmetric,
    reduceRange: params.reduce_range,
    nodesToExclude: params.nodes_to_exclude,
    isa: params.isa,
    ...(opTypes.length === 0 ? {} : { opTypesToQuantize: opTypes }),
  }
}
