import type { Model } from '@pare/graph'
import {
  collectGrams,
  gramPoints,
  type GramStatistics,
  quantizeWeights as quantize,
  type QuantizeWeightsOptions,
} from '@pare/quantization'

import type { StageContext, StageFunction, StageParams } from './stage.js'
import { computeOf, withSamples } from './stage-data.js'
import { readModel, readShapes, writeDecisions, writeModel } from './stage-files.js'
import { unknownNames } from './unknown-names.js'

type Params = StageParams<'quantize_weights'>

/**
 * Quantizes weights alone. `gptq` and `awq` first run the model over the calibration data, for the
 * Gram matrices of the layers' inputs.
 *
 * Inputs `model`, `shapes`, and `calibration` for gptq and awq; params as the step's. Outputs
 * `model`, `decisions`.
 */
export const run: StageFunction<'quantize_weights'> = async (context) => {
  const { params } = context
  const options = toOptions(params)
  const source = await readModel(context, 'model')
  const grams = await gramsFor(context, source, params)
  const { model, layers, ...quantized } = await quantize(source, options, {
    shapes: await readShapes(context),
    ...(grams === undefined ? {} : { grams }),
    onProgress: (progress) => context.onProgress({ ...progress, unit: 'layers' }),
  })
  const diagnostics = [...unknownNames(source, params), ...quantized.diagnostics]
  return {
    outputs: [writeModel(context, model), await writeDecisions(context, { layers, diagnostics })],
    metrics: { layers: layers.length, diagnostics: diagnostics.length },
  }
}

async function gramsFor(
  context: StageContext<'quantize_weights'>,
  model: Model,
  params: Params,
): Promise<GramStatistics | undefined> {
  if (params.algorithm !== 'gptq' && params.algorithm !== 'awq') return undefined
  const { samples } = params.calibration
  return withSamples(context, { role: 'calibration', model, samples }, (source) =>
    collectGrams({
      ...{ ...computeOf(context), model, batches: source.batches() },
      points: gramPoints(model, toOptions(params)),
      onProgress: ({ samples: done }) =>
        context.onProgress({ done, total: source.samples, unit: 'samples' }),
    }),
  )
}

/** From the wire's words to the library's. */
function toOptions(params: Params): QuantizeWeightsOptions {
  const { op_types_to_quantize: opTypes } = params
  return {
    bits: params.bits,
    blockSize: params.block_size,
    symmetric: params.symmetric,
    format: params.format,
    algorithm: params.algorithm,
    damping: params.damping,
    actOrder: params.act_order,
    nodesToExclude: params.nodes_to_exclude,
    ...(opTypes.length === 0 ? {} : { opTypesToQuantize: opTypes }),
  }
}
