// Mul, Div, Add and Sub by a constant per channel become part of the layer before them. Rules:
// 1. The constant broadcasts along the output channels only (axis 1): [C, 1, 1], [1, C], a scalar…
// 2. x · c: scale c.  x / c: scale 1/c, c ≠ 0.  x + c: shift c.  x − c: shift −c.
//    c − x: scale −1, shift c.  c / x is no affine map and stays.
// 3. Nobody else reads the layer's output; its weight and bias are constants.
import {
  defineRewrite,
  type GraphIndex,
  type Miss,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { opRow, type OpTable, type OpType } from '@pare/ops'

import {
  affineLayerBefore,
  type ChannelAffine,
  channelVector,
  replaceLayer,
  type ScaledLayer,
  scaleLayer,
} from './layer-affine.js'

export function foldAffine(): Pass {
  return rewritePass(rule)
}

interface AffineMatch {
  readonly node: Node
  readonly scaled: ScaledLayer
}

const rule = defineRewrite<AffineMatch>({
  name: 'fold_affine',
  opTypes: ['Add', 'Div', 'Mul', 'Sub'] satisfies readonly OpType[],
  match,
  rewrite: ({ node, scaled }, editor) => replaceLayer(scaled, node, editor),
})

function match(node: Node, index: GraphIndex): AffineMatch | Miss | undefined {
  const [left = '', right = ''] = node.inputs
  const constantIsRight = index.constant(right) !== undefined
  const constant = index.constant(constantIsRight ? right : left)
  if (constant === undefined) return undefined
  const layer = affineLayerBefore(constantIsRight ? left : right, index)
  if (layer === undefined || 'miss' in layer) return layer
  const rank = layer.weight.dims.length
  const values = channelVector(constant, layer.channels, { axis: 1, rank })
  if (values === undefined) return undefined
  const affine = opRow(AFFINE_MAPS, node)?.(values, constantIsRight)
  if (affine === undefined) return undefined
  const scaled = scaleLayer(layer, affine)
  return 'miss' in scaled ? scaled : { node, scaled }
}

type AffineMap = (c: Float64Array, constantIsRight: boolean) => ChannelAffine | undefined

const AFFINE_MAPS: OpTable<AffineMap> = {
  Add: (c) => ({ scale: filled(c, 1), shift: c }),
  Div: (c, constantIsRight) =>
    constantIsRight && !c.includes(0)
      ? { scale: c.map((value) => 1 / value), shift: filled(c, 0) }
      : undefined,
  Mul: (c) => ({ scale: c, shift: filled(c, 0) }),
  Sub: (c, constantIsRight) =>
    constantIsRight
      ? { scale: filled(c, 1), shift: c.map((value) => -value) }
      : { scale: filled(c, -1), shift: c },
}

function filled(like: Float64Array, value: number): Float64Array {
  return new Float64Array(like.length).fill(value)
}
