// Recurrent layers: W [directions, gates·H, I], R [directions, gates·H, H] (ONNX opset 14).
import type { Node } from '@pare/graph'

import type { OpFacts, ShapeOf } from './op-facts.js'
import { product } from './sizes.js'

// weightInput is W; R (input 2) is a second weight with the same output-channel axis.
export const recurrent = {
  family: 'recurrent',
  weightInput: 1,
  biasInput: 3,
  outChannelAxis: () => 1,
  inChannelAxis: () => 2,
  dataInputs: [0],
  macs: recurrentMacs,
  layer: { kind: 'recurrent', channelAxis: -1, furtherWeights: [2] },
} satisfies OpFacts

/** Every step of every sequence multiplies with all of W and R, in each direction. */
function recurrentMacs(node: Node, shapeOf: ShapeOf): number | undefined {
  const input = shapeOf(node.inputs[0] ?? '')
  const w = shapeOf(node.inputs[1] ?? '')
  const r = shapeOf(node.inputs[2] ?? '')
  if (input === undefined || w === undefined || r === undefined) return undefined
  // Steps × batch, in whichever order `layout` has them.
  return product(input.slice(0, 2)) * (product(w) + product(r))
}
