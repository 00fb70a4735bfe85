import { runPass } from '@pare/graph'
import { raiseOpset } from '@pare/passes'
import {
  convertFloat16 as convert,
  type ConvertFloat16Result,
  FLOAT16_BLOCKED_OPS,
  readBackFloat16,
} from '@pare/quantization'

import { optimizeWith } from './optimize-model.js'
import type { StageContext, StageFunction, StageParams } from './stage.js'
import {
  putAside,
  readModel,
  readShapes,
  releaseMemory,
  writeDecisions,
  writeModel,
} from './stage-files.js'
import { unknownNames } from './unknown-names.js'

/** Conv, Gemm, Softmax and many others know bfloat16 from here on. */
const BFLOAT16_OPSET = 22

/**
 * Writes the model in float16 or bfloat16 and reads back what onnxruntime really computes in it.
 * Throws `narrow_type_unsupported` where it refuses the result, as its CPU provider does bfloat16.
 *
 * Inputs `model`, `shapes`; params as the step's. Outputs `model`, `decisions`.
 */
export const run: StageFunction<'convert_float16'> = async (context) => {
  const { params } = context
  const converted = await convertInput(context, params)
  releaseMemory()
  const readBack = await readBackFloat16(converted, params.float_type, optimizeWith(context))
  const diagnostics = [...converted.diagnostics, ...readBack.diagnostics]
  return {
    outputs: [
      writeModel(context, converted.model),
      await writeDecisions(context, { layers: readBack.layers, diagnostics }),
    ],
    metrics: {
      nodes_float16: readBack.narrowNodes,
      nodes_float32: readBack.float32Nodes,
      casts_added: converted.castsAdded,
    },
  }
}

async function convertInput(
  context: StageContext<'convert_float16'>,
  params: StageParams<'convert_float16'>,
): Promise<ConvertFloat16Result> {
  const { float_type: type } = params
  const shapes = await readShapes(context)
  const prepared = await readModel(context, 'model')
  const raised =
    type === 'bfloat16' ? runPass(raiseOpset(BFLOAT16_OPSET, { shapes }), prepared) : null
  const converted = convert(raised?.model ?? prepared, {
    type,
    keepIoTypes: params.keep_io_types,
    overflow: params.overflow,
    opBlockList: [...FLOAT16_BLOCKED_OPS, ...params.op_block_list],
    nodeBlockList: params.nodes_to_exclude,
    types: shapes,
  })
  return {
    ...converted,
    model: putAside(context, converted.model, 'converted'),
    diagnostics: [
      ...unknownNames(prepared, params),
      ...(raised?.diagnostics ?? []),
      ...converted.diagnostics,
    ],
  }
}
