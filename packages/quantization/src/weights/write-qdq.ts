// Quantized weights in standard operators: DequantizeLinear of opset 21, blocked or per channel.
// onnxruntime turns DequantizeLinear → MatMul (and Gemm without transB) into MatMulNBits when it
// loads the model. Elsewhere the weight is expanded in each run.
import { attr, type GraphEditor, type Node, type NodeSpec } from '@pare/graph'
import { type DataType, pack, type Tensor, tensorFromFloats, tensorFromInts } from '@pare/tensor'

import { middle, type QuantizedMatrix, type WeightBits } from './block-grid.js'
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

/** Inserts what makes the float weight, once for all nodes that read it; returns its name. */
export function writeDequantized(
  editor: GraphEditor,
  matrix: QuantizedMatrix,
  layer: WeightLayer,
): string {
  const form = dequantizeForm(matrix, layer)
  const { dataType } = layer.weight
  const type = { bits: matrix.spec.bits, isSigned: matrix.spec.symmetric }
  const scales = tensorFromFloats(dataType, form.scaleDims, form.scales)
  const inputs = [
    editor.addInitializer('w', codesTensor(form.dims, form.codes, type)),
    editor.addInitializer('s', scales),
  ]
  if (!matrix.spec.symmetric) {
    inputs.push(editor.addInitializer('z', codesTensor(form.scaleDims, form.zeroPoints, type)))
  }
  const float = insert(editor, layer.node, {
    opType: 'DequantizeLinear',
    inputs,
    attributes: {
      axis: attr.int(form.axis),
      ...(form.blocked ? { block_size: attr.int(matrix.spec.blockSize) } : {}),
    },
  })
  if (form.dims.length === layer.weight.dims.length || layer.layout !== 'conv') return float
  const { dims } = layer.weight
  const shape = editor.addInitializer('shape', tensorFromInts('int64', [dims.length], dims))
  return insert(editor, layer.node, { opType: 'Reshape', inputs: [float, shape] })
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

/**
 * An 8-bit table: its entries, scales and zero points are gathered and only the entries read are
 * dequantized. (Gather takes no 4-bit data.)
 */
export function rewriteAsGatheredCodes(
  editor: GraphEditor,
  layer: WeightLayer,
  matrix: QuantizedMatrix,
): void {
  const { node, input, weight } = layer
  const { rows, columns, blocks, spec } = matrix
  const type = { bits: spec.bits, isSigned: spec.symmetric }
  const gather = (hint: string, tensor: Tensor) =>
    insert(editor, node, {
      opType: 'Gather',
      inputs: [editor.addInitializer(hint, tensor), input],
      attributes: { axis: attr.int(0) },
    })
  const inputs = [
    gather('w', codesTensor([rows, columns], matrix.codes, type)),
    gather('s', tensorFromFloats(weight.dataType, [rows, blocks], matrix.scales)),
  ]
  if (!spec.symmetric)
    inputs.push(gather('z', codesTensor([rows, blocks], matrix.zeroPoints, type)))
  editor.replaceNode(node, {
    opType: 'DequantizeLinear',
    name: node.name,
    inputs,
    attributes: { axis: attr.int(-1), block_size: attr.int(spec.blockSize) },
  })
}
