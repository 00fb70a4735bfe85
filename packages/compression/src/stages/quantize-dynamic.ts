import { quantizeDynamic as quantize } from '@pare/quantization'

import type { StageFunction } from './stage.js'
import { readModel, writeDecisions, writeModel } from './stage-files.js'
import { unknownNames } from './unknown-names.js'

/**
 * Quantizes weights to integers; activations follow at run time.
 *
 * Input `model`; params as the step's, with `isa`. Outputs `model`, `decisions`.
 */
export const run: StageFunction<'quantize_dynamic'> = async (context) => {
  const { params } = context
  const { op_types_to_quantize: opTypes } = params
  const source = await readModel(context, 'model')
  const { model, layers, ...quantized } = quantize(source, {
    weightType: params.weight_type,
    perChannel: params.per_channel,
    reduceRange: params.reduce_range,
    nodesToExclude: params.nodes_to_exclude,
    isa: params.isa,
    ...(opTypes.length === 0 ? {} : { opTypesToQuantize: opTypes }),
  })
  const diagnostics = [...unknownNames(source, params), ...quantized.diagnostics]
  const integers = layers.filter(({ decision }) => decision === 'integer')
  return {
    outputs: [writeModel(context, model), await writeDecisions(context, { layers, diagnostics })],
    metrics: {
      layers_integer: integers.length,
      layers_float: layers.length - integers.length,
    },
  }
}
