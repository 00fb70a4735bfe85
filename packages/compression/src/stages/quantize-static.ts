import type { CalibrationStatistics } from '@pare/calibration'
import {
  calibrationBatchSize,
  parseStatistics,
  STATISTICS_OF_METHOD,
  withRangesOf,
} from '@pare/calibration'
import { rememberReads } from '@pare/datasets'
import { countMacs } from '@pare/evaluation'
import type { Model } from '@pare/graph'
import {
  calibrateModel,
  chooseTechniques,
  type DataSource,
  type QuantizeStaticOptions,
  searchStatic,
  type SearchStaticInput,
  takesSingleSamples,
} from '@pare/quantization'
import { type IntegerStep, isInteger } from '@pare/recipe'

import { candidateJudge } from './candidate-judge.js'
import { optimizeWith } from './optimize-model.js'
import { quantizeFloat8 } from './quantize-float8.js'
import { runningModel } from './running-model.js'
import type { StageContext, StageFunction, StageParams } from './stage.js'
import { computeOf, type StageSamples, withSamples } from './stage-data.js'
import {
  inputOf,
  readJson,
  readModel,
  readShapes,
  writeDecisions,
  writeModel,
} from './stage-files.js'
import { unknownNames } from './unknown-names.js'

type Params = StageParams<'quantize_static'>
type Context = StageContext<'quantize_static'>

/** Of calibration data, which every candidate is run on. */
const REMEMBERED_BYTES = 32 << 20

type IntegerParams = IntegerStep<Params>

/**
 * Quantizes weights and activations to integers: searches for what loses least on the calibration
 * data, reads back what onnxruntime makes of the result, and takes back what it would not compute in
 * integers, and the layers with which `judging.max_drop` does not hold. What is read back, judged and
 * written has the sizes of the prepared model, also where candidates run in batches.
 *
 * Inputs `model`, `shapes`, `batch`, `statistics`, `calibration`, and to judge `original` and `data`;
 * params as the step's, with `isa` and `judging`. Outputs `model`, `decisions`.
 */
export const run: StageFunction<'quantize_static'> = async (context) => {
  const { params } = context
  const statistics = parseStatistics(await readJson<unknown>(inputOf(context, 'statistics')))
  const prepared = await readModel(context, 'model')
  if (!isInteger(params)) return quantizeFloat8(context, prepared, { statistics, params })
  const { samples } = params.calibration
  const { model, restore, restoreFile } = await runningModel(context, prepared, { samples })
  const optimize = optimizeWith(context)
  const shapes = await readShapes(context)
  const found = await withSamples(context, searchedData(model, samples), (data) => {
    const source = { ...data, ...computeOf(context) }
    return searchStatic({
      ...{ model, source },
      statistics: chooseRanges(params, statistics),
      options: toOptions(params),
      optimize: (candidate) => optimize(restoreFile(candidate)),
      recalibrate: recalibrateOn(source, params),
      techniques: chooseTechniques({
        equalization: params.equalization,
        smoothQuant: params.smooth_quant,
        smoothQuantAlpha: params.smooth_quant_alpha,
        rounding: params.rounding,
        biasCorrection: params.bias_correction,
      }),
      sensitivity: params.sensitivity,
      ...judgeOf(context, params, restore),
      fallback: params.fallback,
      macs: countMacs(model, (value) => shapes.get(value)?.dims, 1).macs,
      onProgress: ({ done, total, message }) =>
        context.onProgress({ done, total, unit: 'candidates', message }),
    })
  })
  const { layers, tried, sensitivity, rounds } = found
  const diagnostics = [...unknownNames(prepared, params), ...found.diagnostics]
  const integers = layers.filter(({ decision }) => decision === 'integer')
  return {
    outputs: [
      writeModel(context, restore(found.model)),
      await writeDecisions(context, { layers, diagnostics, tried, sensitivity }),
    ],
    metrics: {
      layers_integer: integers.length,
      layers_float: layers.length - integers.length,
      read_back_rounds: rounds,
      candidates: tried.length,
    },
  }
}

function judgeOf(
  context: Context,
  { judging }: IntegerParams,
  restore: (candidate: Model) => Model,
): Pick<SearchStaticInput, 'judge'> {
  if (judging === undefined) return {}
  const judge = candidateJudge(context, judging)
  return { judge: (candidate) => judge(restore(candidate)) }
}

function chooseRanges(params: Params, statistics: CalibrationStatistics): CalibrationStatistics {
  const { method, percentile, moving_average_constant: movingAverageConstant } = params.calibration
  const { symmetric } = params
  return withRangesOf(statistics, method, { percentile, movingAverageConstant, symmetric })
}

function searchedData(model: Model, samples: number): StageSamples<'calibration'> {
  const batchSize = takesSingleSamples(model) ? 1 : calibrationBatchSize(model)
  const remember = rememberReads(REMEMBERED_BYTES)
  return { role: 'calibration', model, samples, batchSize, remember }
}

/** Ranges of a changed model, by the same method. */
function recalibrateOn(source: DataSource, params: Params): SearchStaticInput['recalibrate'] {
  const { method, stop_below_drift: stopBelowDrift } = params.calibration
  return async (model, part) => {
    const kind = STATISTICS_OF_METHOD[method]
    const options = { ...source, ...part, model, source, stopBelowDrift, kind }
    return chooseRanges(params, await calibrateModel(options))
  }
}

/** From the wire's words to the library's. */
function toOptions(params: IntegerParams): QuantizeStaticOptions {
  const { op_types_to_quantize: opTypes } = params
  return {
    activationType: params.activation_type,
    weightType: params.weight_type,
    perChannel: params.per_channel,
    symmetric: params.symmetric,
    reduceRange: params.reduce_range,
    blockSize: params.block_size,
    format: params.format,
    nodesToExclude: params.nodes_to_exclude,
    isa: params.isa,
    ...(opTypes.length === 0 ? {} : { opTypesToQuantize: opTypes }),
  }
}
