// Weights and biases as integers in the graph, each behind a DequantizeLinear.
import type { GraphEditor, Node } from '@pare/graph'
import type { ActivationType } from '@pare/recipe'
import {
  type Tensor,
  tensorFromFloat32,
  tensorFromInts,
  tensorFromStored,
  toFloat32,
} from '@pare/tensor'

import { isWide } from '../integers/integer-type.js'
import type { WeightIntegers } from '../integers/weight-integers.js'
import type { QuantizedLayer } from '../layers/quantize-layers.js'
import { addDequantize } from '../writing/dequantize-node.js'
import type { ScalarPool } from '../writing/written-constants.js'

export interface WriteWeightsOptions {
  readonly weights: ReadonlyMap<Node, QuantizedLayer>
  readonly activationType: ActivationType
}

/** Puts integers into the place of weights and biases; returns the name of each layer's weight. */
export function writeWeights(
  editor: GraphEditor,
  scalars: ScalarPool,
  { weights, activationType }: WriteWeightsOptions,
): ReadonlyMap<Node, string> {
  const names = new Map<Node, string>()
  const shared = new Map<QuantizedLayer['weight'], { name: string; dequantized: string }>()
  for (const [node, layer] of weights) {
    const known = shared.get(layer.weight) ?? addWeight(editor, scalars, { layer, activationType })
    shared.set(layer.weight, known)
    names.set(node, known.name)
    editor.setInput(node, 1, known.dequantized)
    writeBias(editor, scalars, layer)
    dropFactors(editor, node)
  }
  return names
}

function writeBias(
  editor: GraphEditor,
  scalars: ScalarPool,
  { layer, bias }: QuantizedLayer,
): void {
  const { node, biasInput, biasFactor } = layer
  if (bias !== undefined) {
    const integers = tensorFromInts('int32', [bias.data.length], bias.data)
    const dequantized = addDequantize(editor, editor.addInitializer('b', integers), {
      scale: scalars.scales(bias.scales),
      axis: bias.scales.length > 1 ? 0 : undefined,
    })
    editor.setInput(node, biasInput, dequantized)
  } else if (layer.bias !== undefined && biasFactor !== 1) {
    const values = toFloat32(layer.bias).map((value) => value * biasFactor)
    const name = editor.addInitializer('b', tensorFromFloat32(layer.bias.dims, values))
    editor.setInput(node, biasInput, name)
  }
}

interface WeightPlace {
  readonly layer: QuantizedLayer
  readonly activationType: ActivationType
}

interface WrittenWeight {
  readonly name: string
  readonly dequantized: string
}

function addWeight(
  editor: GraphEditor,
  scalars: ScalarPool,
  { layer, activationType }: WeightPlace,
): WrittenWeight {
  const { weight, layer: place } = layer
  if (weight.granularity === 'blocked') {
    return addBlockedWeight(editor, layer, !isWide(activationType))
  }
  const { type, scales, scaleDims, axis, zeroPoints } = weight
  const name = editor.addInitializer('w', tensorFromStored(type, place.weight.dims, weight.data))
  // onnxruntime's Gemm fusion asks for an explicit zero point, the others take 0 as said.
  const isExplicit = zeroPoints !== undefined || place.node.opType === 'Gemm'
  const dequantized = addDequantize(editor, name, {
    scale: scalars.scales(scales, scaleDims),
    axis,
    ...(isExplicit ? { zeroPoint: writeZeroPoints(editor, scalars, weight) } : {}),
  })
  return { name, dequantized }
}

/**
 * Among 8-bit values a weight in blocks is dequantized with a leading dimension of 1 that a Reshape
 * takes away again: onnxruntime 1.30 takes DequantizeLinear with blocks in front of a MatMul for one
 * with a scale per channel, makes a QLinearMatMul of it and fails to run that.
 */
function addBlockedWeight(
  editor: GraphEditor,
  { weight, layer }: QuantizedLayer,
  isHidden: boolean,
): WrittenWeight {
  const { type, scales, scaleDims, zeroPoints, axis, blockSize } = weight
  const { dims } = layer.weight
  const lead = isHidden ? [1] : []
  const add = (hint: string, tensor: Tensor) => editor.addInitializer(hint, tensor)
  const name = add('w', tensorFromStored(type, [...lead, ...dims], weight.data))
  const blocks = [...lead, ...scaleDims]
  const dequantized = addDequantize(editor, name, {
    scale: add('s', tensorFromFloat32(blocks, scales)),
    axis: axis! + lead.length,
    blockSize,
    ...(zeroPoints === undefined
      ? {}
      : { zeroPoint: add('z', tensorFromStored(type, blocks, zeroPoints)) }),
  })
  if (!isHidden) return { name, dequantized }
  const shape = add('shape', tensorFromInts('int64', [dims.length], dims))
  const reshape = editor.addNode({ opType: 'Reshape', inputs: [dequantized, shape] })
  return { name, dequantized: reshape.outputs[0]! }
}

function writeZeroPoints(editor: GraphEditor, scalars: ScalarPool, weight: WeightIntegers): string {
  const { type, scaleDims, zeroPoints } = weight
  if (zeroPoints === undefined) return scalars.zeros(weight.scales.length, type)
  if (scaleDims.length === 0) return scalars.integer(type, zeroPoints[0]!)
  return editor.addInitializer('z', tensorFromStored(type, scaleDims, zeroPoints))
}

/** Gemm's alpha and beta are in the integers now. */
function dropFactors(editor: GraphEditor, node: Node): void {
  if (node.opType !== 'Gemm') return
  const attributes = new Map(node.attributes)
  attributes.delete('alpha')
  attributes.delete('beta')
  editor.updateNode(node, { attributes })
}
