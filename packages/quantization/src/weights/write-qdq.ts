// Quantized weights in standard operators: DequantizeLinear of opset 21, blocked or per channel.
// onnxruntime turns DequantizeLinear → MatMul (and Gemm without transB) into MatMulNBits when it
// loads the model. Elsewhere the weight is expanded in each run.
import { attr, type GraphEditor, type Node, type NodeSpec } from '@pare/graph'
import type { WeightBits } from '@pare/recipe'
import {
  type DataType,
  pack,
  type Tensor,
  tensorFromFloat32,
  tensorFromFloats,
  tensorFromInts,
  toFloat32,
} from '@pare/tensor'

import { middle, type QuantizedMatrix } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'
import { transpose } from './weight-matrix.js'

/** First opset with blocks and 4-bit types in DequantizeLinear. */
export const BLOCKED_OPSET = 21

interface CodeType {
  readonly bits: WeightBits
  /** Stored as code − middle. */
  readonly isSigned: boolean
}

/** Codes 0 … 2^bits − 1 as a tensor of ONNX's integers; shares the bytes where it can. */
export function codesTensor(
  dims: readonly number[],
  codes: Uint8Array,
  { bits, isSigned }: CodeType,
): Tensor {
  const half = middle(bits)
  // code − middle in two's complement flips the highest bit.
  const stored = isSigned ? codes.map((code) => code ^ half) : codes
  const bytes = bits === 8 ? stored : pack(bits === 4 ? 'uint4' : 'uint2', stored)
  const dataType: DataType = `${isSigned ? '' : 'u'}int${bits}`
  return { dataType, dims, data: { kind: 'bytes', bytes } }
}

/** What DequantizeLinear reads, and how: the same for every node that reads the weight. */
export interface PackedCodes {
  /** Codes, scales and, unless symmetric, zero points. */
  readonly tensors: readonly Tensor[]
  readonly axis: number
  /** Absent where there is one scale per channel. */
  readonly blockSize?: number
  /** Dimensions to give the result. */
  readonly dims?: readonly number[]
}

export function packCodes(matrix: QuantizedMatrix, layer: WeightLayer): PackedCodes {
  const form = dequantizeForm(matrix, layer)
  const { bits, symmetric, blockSize } = matrix.spec
  const { dims, dataType } = layer.weight
  const type = { bits, isSigned: symmetric }
  return {
    tensors: [
      codesTensor(form.dims, form.codes, type),
      tensorFromFloats(dataType, form.scaleDims, form.scales),
      ...(symmetric ? [] : [codesTensor(form.scaleDims, form.zeroPoints, type)]),
    ],
    axis: form.axis,
    ...(form.blocked ? { blockSize } : {}),
    ...(layer.layout === 'conv' && form.dims.length !== dims.length ? { dims } : {}),
  }
}

/**
 * Adds the tensors to the graph of the nodes that read them: in a body onnxruntime's fusion wants
 * them there, and refuses the model otherwise (TransposeDQWeightsForMatMulNBits). Returns names.
 */
export function addCodes(editor: GraphEditor, { tensors }: PackedCodes): readonly string[] {
  return tensors.map((tensor, i) => editor.addInitializer('wsz'[i]!, tensor))
}

/** Inserts what makes the float weight, before the first node that reads it; returns its name. */
export function insertDequantized(editor: GraphEditor, packed: PackedCodes, before: Node): string {
  const { axis, blockSize, dims } = packed
  const float = insert(editor, before, {
    opType: 'DequantizeLinear',
    inputs: addCodes(editor, packed),
    attributes: {
      axis: attr.int(axis),
      ...(blockSize === undefined ? {} : { block_size: attr.int(blockSize) }),
    },
  })
  if (dims === undefined) return float
  const shape = editor.addInitializer('shape', tensorFromInts('int64', [dims.length], dims))
  return insert(editor, before, { opType: 'Reshape', inputs: [float, shape] })
}

function insert(editor: GraphEditor, before: Node, spec: NodeSpec): string {
  return editor.insertBefore(before, spec).outputs[0]!
}

interface DequantizeForm {
  readonly dims: readonly number[]
  readonly codes: Uint8Array
  readonly scaleDims: readonly number[]
  readonly scales: Float32Array
  readonly zeroPoints: Uint8Array
  readonly axis: number
  readonly blocked: boolean
}

/** One block per row is written as a scale per channel, which more runtimes know. */
function dequantizeForm(matrix: QuantizedMatrix, layer: WeightLayer): DequantizeForm {
  const { rows, columns, blocks, codes, scales, zeroPoints } = matrix
  const blocked = blocks > 1
  if (layer.layout === 'kn' || layer.layout === 'nk') {
    const lead = layer.weight.dims.slice(0, -2)
    return {
      dims: [...lead, columns, rows],
      codes: transpose(codes, rows, columns),
      scaleDims: blocked ? [...lead, blocks, rows] : [rows],
      scales: transpose(scales, rows, blocks),
      zeroPoints: transpose(zeroPoints, rows, blocks),
      axis: lead.length + (blocked ? 0 : 1),
      blocked,
    }
  }
  return {
    dims: layer.layout === 'conv' && !blocked ? layer.weight.dims : [rows, columns],
    codes,
    scaleDims: blocked ? [rows, blocks] : [rows],
    scales,
    zeroPoints,
    axis: blocked ? 1 : 0,
    blocked,
  }
}

/** Lets the node read the dequantized weight, which lies as [K, N] even where it lay as [N, K]. */
export function readDequantized(editor: GraphEditor, layer: WeightLayer, float: string): void {
  const position = layer.layout === 'table' ? 0 : 1
  const node = editor.setInput(layer.node, position, float)
  if (layer.layout !== 'nk') return
  const attributes = new Map(node.attributes)
  attributes.delete('transB')
  editor.updateNode(node, { attributes })
}

/** TensorProto.DataType, the `to` of Cast. */
const CAST_TO = { float32: 1, float16: 10 } as const

/** The same codes with float32 scales. */
export function withWideScales(packed: PackedCodes): PackedCodes {
  const tensors = packed.tensors.map((tensor) =>
    tensor.dataType === 'float16' ? tensorFromFloat32(tensor.dims, toFloat32(tensor)) : tensor,
  )
  return { ...packed, tensors }
}

/**
 * For a float16 layer in a body, with a weight that `withWideScales` was written from. onnxruntime
 * has few float16 kernels: of a layer between operators without one it makes a float32 MatMulNBits
 * whose scales are cast. In a body it does not fold these Casts, and the kernel for int8 takes scales
 * that are no constants for zeros.
 */
export function multiplyInFloat32(editor: GraphEditor, layer: WeightLayer, weight: string): void {
  const { node } = layer
  const [x = '', , ...biases] = node.inputs
  const wide = new Map([x, ...biases].map((value) => [value, editor.uniqueName('wide')]))
  const casts = [...wide].map(([value, output]) => castNode(value, output, 'float32'))
  const product = editor.uniqueName('wide')
  const attributes = new Map(node.attributes)
  if (layer.layout === 'nk') attributes.delete('transB')
  const inputs = [wide.get(x)!, weight, ...biases.map((bias) => wide.get(bias)!)]
  const { opType, name } = node
  editor.replaceNode(node, [
    ...casts,
    { opType, name, inputs, outputs: [product], attributes },
    castNode(product, node.outputs[0]!, 'float16'),
  ])
}

export function castNode(input: string, output: string, to: keyof typeof CAST_TO): NodeSpec {
  const attributes = { to: attr.int(CAST_TO[to]) }
  return { opType: 'Cast', inputs: [input], outputs: [output], attributes }
}

/**
 * An 8-bit table: its entries, scales and zero points, `codes` in the order of `addCodes`, are
 * gathered and only the entries read become floats. (Gather takes no 4-bit data.) By Cast, Sub and Mul:
 * a DequantizeLinear of what was gathered, before one of a weight and a MatMul, onnxruntime fuses to a
 * MatMulIntegerToFloat, which takes no zero point per row and fails when it is run.
 */
export function rewriteAsGatheredCodes(
  editor: GraphEditor,
  { node, input, weight }: WeightLayer,
  codes: readonly string[],
): void {
  const [values = '', scales = '', zeroPoints] = codes.map((data) =>
    insert(editor, node, {
      opType: 'Gather',
      inputs: [data, input],
      attributes: { axis: attr.int(0) },
    }),
  )
  const widened = (value: string) =>
    insert(editor, node, castNode(value, editor.uniqueName('wide'), 'float32'))
  let wide = widened(values)
  if (zeroPoints !== undefined) {
    wide = insert(editor, node, { opType: 'Sub', inputs: [wide, widened(zeroPoints)] })
  }
  const { name, outputs } = node
  const isNarrow = weight.dataType === 'float16'
  const product = isNarrow ? [editor.uniqueName('wide')] : outputs
  editor.replaceNode(node, [
    { opType: 'Mul', name, inputs: [wide, scales], outputs: product },
    ...(isNarrow ? [castNode(product[0]!, outputs[0]!, 'float16')] : []),
  ])
}

/** The tensors of such a table: a scale for each entry, which its values are multiplied with. */
export function packTable({
  rows,
  columns,
  spec,
  codes,
  scales,
  zeroPoints,
}: QuantizedMatrix): PackedCodes {
  const type = { bits: spec.bits, isSigned: spec.symmetric }
  return {
    tensors: [
      codesTensor([rows, columns], codes, type),
      tensorFromFloat32([rows, 1], scales),
      ...(spec.symmetric ? [] : [codesTensor([rows, 1], zeroPoints, type)]),
    ],
    axis: 0,
  }
}
