// Softmax, LogSoftmax and Hardmax before opset 13 work on the input flattened to a matrix at `axis`
// (default 1); from 13 on they work on that one axis (default -1).
import { attr, intAttribute, type Node } from '@pare/graph'

import { type Upgrade, withAttributes } from './upgrade.js'

/**
 * On the last axis both mean the same. Elsewhere, or where the rank is unknown, the flattening is
 * written out: Flatten, Softmax on the last axis, Reshape to the shape before.
 */
export const softmaxToOneAxis: Upgrade = (node, context) => {
  const axis = intAttribute(node, 'axis', 1)
  const [x = ''] = node.inputs
  const rank = context.rankOf(x)
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) {
    return [withAttributes(node, { axis: attr.int(-1) })]
  }
  const [output = node.opType] = node.outputs
  const names = {
    shape: context.freshName(`${output}_shape`),
    matrix: context.freshName(`${output}_matrix`),
    rows: context.freshName(`${output}_rows`),
  }
  return [
    plainNode('Shape', [x], names.shape),
    { ...plainNode('Flatten', [x], names.matrix), attributes: new Map([['axis', attr.int(axis)]]) },
    {
      ...withAttributes(node, { axis: attr.int(-1) }),
      inputs: [names.matrix],
      outputs: [names.rows],
    },
    plainNode('Reshape', [names.rows, names.shape], output),
  ]
}

function plainNode(opType: string, inputs: readonly string[], output: string): Node {
  return {
    name: '',
    opType,
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(),
    metadataProps: [],
  }
}
