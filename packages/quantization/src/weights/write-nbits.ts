// MatMul and Gemm as com.microsoft.MatMulNBits, Gather as com.microsoft.GatherBlockQuantized.
import { attr, type GraphEditor, intAttribute, type Node, type NodeSpec } from '@pare/graph'
import { channelVector } from '@pare/passes'
import { type WhyNot, whyNot } from '@pare/recipe'
import { type Tensor, tensorFromFloat32, tensorFromFloats, toFloat32 } from '@pare/tensor'

import { declareOutputs } from '../writing/microsoft-ops.js'
import type { QuantizedMatrix } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'
import type { AccuracyLevel } from './options.js'
import { packNBits } from './pack-nbits.js'
import { castNode, codesTensor } from './write-qdq.js'

const MICROSOFT = 'com.microsoft'

/** Names of the initializers that a weight became. */
export interface WrittenMatrix {
  readonly weight: string
  readonly scales: string
  readonly zeroPoints: string
}

export function writePacked(editor: GraphEditor, matrix: QuantizedMatrix): WrittenMatrix {
  const { rows, blocks, scales, spec } = matrix
  const { weight, zeroPoints } = packNBits(matrix)
  const packedWidth = (spec.blockSize * spec.bits) / 8
  const zeroDims = [rows, Math.ceil((blocks * spec.bits) / 8)]
  return {
    weight: editor.addInitializer('w', bytesTensor([rows, blocks, packedWidth], weight)),
    scales: editor.addInitializer('s', tensorFromFloats(spec.scaleType, [rows, blocks], scales)),
    zeroPoints:
      zeroPoints === undefined ? '' : editor.addInitializer('z', bytesTensor(zeroDims, zeroPoints)),
  }
}

function bytesTensor(dims: readonly number[], bytes: Uint8Array): Tensor {
  return { dataType: 'uint8', dims, data: { kind: 'bytes', bytes } }
}

/** Why a Gemm cannot become MatMulNBits, which takes beta in the bias; undefined when it can. */
export function gemmObstacle(layer: WeightLayer): WhyNot | undefined {
  const { biasName, bias, biasFactor } = layer
  return biasFactor === 1 || biasName === undefined || bias !== undefined
    ? undefined
    : whyNot('gemm_form', 'its beta scales a bias that is computed')
}

/**
 * A float16 layer multiplies in float32. onnxruntime has few float16 kernels, and turns a MatMulNBits
 * between operators without one into float32 by casting its scales; where it does not fold these Casts
 * (below level `extended`, and in bodies), its int8 kernel takes the scales for zeros.
 */
export function rewriteAsNBits(
  editor: GraphEditor,
  {
    layer,
    written,
    quantized: matrix,
    accuracyLevel,
  }: {
    readonly layer: WeightLayer
    readonly written: WrittenMatrix
    readonly quantized: Pick<QuantizedMatrix, 'rows' | 'columns' | 'spec'>
    readonly accuracyLevel: AccuracyLevel
  },
): void {
  const { node } = layer
  const follower = followingBias(editor, layer)
  const vector = follower?.bias ?? constantBias(editor, layer)
  const bias = layer.biasName ?? ''
  const output = (follower?.add ?? node).outputs[0]!
  const product = bias !== '' && vector === '' ? editor.uniqueName('y') : output
  const isNarrow = layer.weight.dataType === 'float16'
  const [x, y] = isNarrow
    ? [editor.uniqueName('wide'), editor.uniqueName('wide')]
    : [layer.input, product]
  const multiply: NodeSpec = {
    opType: 'MatMulNBits',
    domain: MICROSOFT,
    name: node.name,
    inputs: trimmed([x, written.weight, written.scales, written.zeroPoints, '', vector]),
    outputs: [y],
    attributes: {
      K: attr.int(matrix.columns),
      N: attr.int(matrix.rows),
      bits: attr.int(matrix.spec.bits),
      block_size: attr.int(matrix.spec.blockSize),
      ...(accuracyLevel === 0 ? {} : { accuracy_level: attr.int(accuracyLevel) }),
    },
  }
  if (follower !== undefined) editor.removeNode(follower.add)
  editor.replaceNode(node, [
    ...(isNarrow ? [castNode(layer.input, x, 'float32')] : []),
    multiply,
    ...(isNarrow ? [castNode(y, product, 'float16')] : []),
    ...(product === output ? [] : [{ opType: 'Add', inputs: [product, bias], outputs: [output] }]),
  ])
  declareOutputs(editor, [y])
}

/** The constant that an Add puts on each output of a MatMul, which nobody else reads. */
function followingBias(
  editor: GraphEditor,
  { node, rows, weight }: WeightLayer,
): { readonly add: Node; readonly bias: string } | undefined {
  const product = node.outputs[0]!
  const readers = editor.consumers(product)
  const [add] = readers
  if (node.opType !== 'MatMul' || readers.length !== 1 || editor.isGraphOutput(product)) {
    return undefined
  }
  if (add?.opType !== 'Add' || add.domain !== '') return undefined
  const bias = add.inputs.find((input) => input !== product) ?? ''
  const tensor = editor.constant(bias)
  const isVector = tensor?.dims.length === 1 && tensor.dims[0] === rows
  if (!isVector || tensor.dataType !== weight.dataType) return undefined
  if (weight.dataType === 'float32') return { add, bias }
  return { add, bias: editor.addInitializer('b', tensorFromFloat32([rows], toFloat32(tensor))) }
}

/** Gemm's bias, times beta, as the vector that MatMulNBits adds; '' where it is none. */
function constantBias(editor: GraphEditor, { bias, biasFactor, rows }: WeightLayer): string {
  const vector = bias === undefined ? undefined : channelVector(bias, rows, { axis: 1, rank: 2 })
  if (vector === undefined) return ''
  const values = Float32Array.from(vector, (value) => value * biasFactor)
  return editor.addInitializer('b', tensorFromFloat32([rows], values))
}

function trimmed(inputs: readonly string[]): readonly string[] {
  return inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1)
}

/** Which tables GatherBlockQuantized reads: 4 bits signed and unsigned, 8 bits unsigned. */
export function writeTable(
  editor: GraphEditor,
  matrix: QuantizedMatrix,
  layer: WeightLayer,
): WrittenMatrix {
  const { rows, columns, blocks, spec, scales } = matrix
  const isSigned = spec.symmetric && spec.bits === 4
  const codes = { bits: spec.bits, isSigned }
  const hasZeroPoints = !spec.symmetric
  return {
    weight: editor.addInitializer('w', codesTensor([rows, columns], matrix.codes, codes)),
    scales: editor.addInitializer(
      's',
      tensorFromFloats(layer.weight.dataType, [rows, blocks], scales),
    ),
    zeroPoints: hasZeroPoints
      ? editor.addInitializer('z', codesTensor([rows, blocks], matrix.zeroPoints, codes))
      : '',
  }
}

export function rewriteAsBlockGather(
  editor: GraphEditor,
  { node, input, weight }: WeightLayer,
  written: WrittenMatrix,
  { spec }: Pick<QuantizedMatrix, 'spec'>,
): void {
  editor.replaceNode(node, {
    opType: 'GatherBlockQuantized',
    domain: MICROSOFT,
    name: node.name,
    inputs: trimmed([written.weight, input, written.scales, written.zeroPoints]),
    attributes: {
      gather_axis: attr.int(intAttribute(node, 'axis', 0)),
      quantize_axis: attr.int(1),
      block_size: attr.int(spec.blockSize),
      ...(spec.bits === 4 ? {} : { bits: attr.int(spec.bits) }),
    },
  })
  declareOutputs(editor, node.outputs, weight.dataType)
}
