import { decodeModel, encodeModelChunks } from '@pare/onnx'
import { convertFloat16 as convert, FLOAT16_BLOCKED_OPS, readBackFloat16 } from '@pare/quantization'

import type { StepOf } from '../recipe/recipe.js'
import { optimizeWith } from './optimize-model.js'
import type { StageContext, StageResult } from './stage.js'
import { readInput, readShapes, writeJson, writeModel } from './stage-files.js'

type Params = Omit<StepOf<'convert_float16'>, 'type'>

/**
 * Writes the model in float16 and reads back what onnxruntime really computes in it.
 *
 * Inputs `model`, `shapes`; params as the step's. Outputs `model`, `decisions`.
 */
export async function convertFloat16(context: StageContext): Promise<StageResult> {
  const params = context.params as unknown as Params
  const converted = convert(decodeModel(await readInput(context, 'model')), {
    overflow: params.overflow,
    opBlockList: [...FLOAT16_BLOCKED_OPS, ...params.op_block_list],
    nodeBlockList: params.nodes_to_exclude,
    types: await readShapes(context),
  })
  const readBack = await readBackFloat16(converted, 'float16', optimizeWith(context))
  const diagnostics = [...converted.diagnostics, ...readBack.diagnostics]
  return {
    outputs: [
      await writeModel(context, encodeModelChunks(converted.model)),
      await writeJson(context, 'decisions', { layers: readBack.layers, diagnostics }),
    ],
    metrics: {
      nodes_float16: readBack.narrowNodes,
      nodes_float32: readBack.float32Nodes,
      casts_added: converted.castsAdded,
    },
  }
}
