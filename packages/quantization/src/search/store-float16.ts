// Layers that fall back to 16 bits: their weights are stored in float16 and widened by a Cast, which
// onnxruntime computes once, when it loads the model. They run as fast as in float and take half the
// space; of a weight 11 bits are left.
import { attr, editGraph, type GraphEditor, indexGraph, type Model } from '@pare/graph'
import type { Tensor } from '@pare/tensor'

import { narrowConstant } from '../float16/narrow-constant.js'
import { TYPE_CODES } from '../float16/type-makers.js'
import { weightedLayer } from '../layers/layer-weight.js'

/** The weights of the layers with these outputs in float16; what does not fit its range stays. */
export function storeWeightsAsFloat16(model: Model, outputs: readonly string[]): Model {
  const editor = editGraph(model)
  const index = indexGraph(model.graph)
  const widened = new Map<string, string | undefined>()
  for (const node of model.graph.nodes) {
    if (!outputs.includes(node.outputs[0] ?? '')) continue
    const layer = weightedLayer(node, index)
    if (layer === undefined || 'reason' in layer) continue
    const { weightName, weight } = layer
    if (!widened.has(weightName)) widened.set(weightName, addWidened(editor, weight))
    const value = widened.get(weightName)
    if (value !== undefined) editor.setInput(node, 1, value)
  }
  editor.removeUnusedInitializers()
  return editor.finish()
}

/** Undefined where a value is beyond the range of float16. */
function addWidened(editor: GraphEditor, weight: Tensor): string | undefined {
  const { tensor, report } = narrowConstant(weight, { type: 'float16', raiseTo: 0 })
  if (report.clamped > 0) return undefined
  const cast = editor.addNode({
    opType: 'Cast',
    inputs: [editor.addInitializer('h', tensor)],
    attributes: { to: attr.int(TYPE_CODES.float32) },
  })
  return cast.outputs[0]!
}
