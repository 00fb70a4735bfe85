// Ops that move, repeat, drop or pick values and compute nothing.
import { intAttribute, type Node } from '@pare/graph'

import type { OpFacts } from './op-facts.js'

/** Moves values, but onnxruntime computes it in float between Q and DQ. */
export const layout = { family: 'layout', dataInputs: [0] } satisfies OpFacts

/** Reads its shape, axes or indices from the further inputs. */
function moves(sharesQuantization: number): OpFacts {
  return { ...layout, sharesQuantization }
}

export const depthToSpace = moves(13)
export const expand = moves(8)
export const flatten = moves(9)
// A table has no weightInput: nothing is multiplied or summed, so no kernel treats it as a weight.
export const gather = {
  ...moves(1),
  outChannelAxis: (node, rank) => (gatherAxis(node, rank) === rank - 1 ? rank - 2 : rank - 1),
  inChannelAxis: gatherAxis,
  layer: { kind: 'table', tableInput: 0, channelAxis: -1 },
} satisfies OpFacts
export const gatherElements = moves(11)
export const identity = moves(1)
export const reshape = moves(5)
export const resize = moves(11)
export const slice = moves(10)
export const split = moves(13)
export const squeeze = moves(1)
export const tile = moves(6)
export const transpose = moves(1)
export const unsqueeze = moves(1)

function gatherAxis(node: Node, rank: number): number {
  const axis = intAttribute(node, 'axis', 0)
  return axis < 0 ? axis + rank : axis
}

/** Every input is data. */
export const concat = {
  family: 'layout',
  integerKernel: 'needs_output',
} satisfies OpFacts

/** Picks values by a condition or by their order. */
export const selection = { family: 'selection' } satisfies OpFacts

// Chooses between two inputs; each may have its own scale.
export const where = {
  family: 'selection',
  dataInputs: [1, 2],
  integerKernel: 'needs_output',
} satisfies OpFacts
