// Quantized weights as constants that plain operators compute: Cast → Sub → Mul. onnxruntime computes
// them once, when it loads the model, and then runs as fast as with float weights. A DequantizeLinear
// it leaves for its fusions and computes in each run, where none of them takes convolutions: a small
// ResNet is twice as slow with 8 bits. Other runtimes fold constants too, and OpenVINO knows the three
// operators as its own way to store weights.
import type { GraphEditor } from '@pare/graph'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'

import type { QuantizedMatrix } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'
import { castNode, codesTensor } from './write-qdq.js'

/** First opset in which Cast reads 4-bit integers. */
export const NARROW_CAST_OPSET = 21

/** Adds the nodes to a graph; returns the name of the float weight. `layer` says how it lies. */
export function addCastWeight(
  editor: GraphEditor,
  matrix: QuantizedMatrix,
  { weight }: Pick<WeightLayer, 'weight'>,
): string {
  const { rows, columns, blocks, spec, scales, zeroPoints } = matrix
  const { bits, blockSize, symmetric } = spec
  const type = { bits, isSigned: symmetric }
  const isBlocked = blocks > 1
  const cast = (value: string, to: 'float32' | 'float16') =>
    editor.addNode(castNode(value, editor.uniqueName('w'), to)).outputs[0]!
  const add = (opType: string, ...inputs: readonly string[]) =>
    editor.addNode({ opType, inputs, outputs: [editor.uniqueName('w')] }).outputs[0]!
  // A scale stands for a block of a row, or for all of a row.
  const dims = isBlocked ? [rows, blocks, blockSize] : weight.dims
  const scaleDims = isBlocked ? [rows, blocks, 1] : weight.dims.map((size, i) => (i > 0 ? 1 : size))
  const codes = isBlocked ? paddedCodes(matrix) : matrix.codes
  let value = cast(editor.addInitializer('w', codesTensor(dims, codes, type)), 'float32')
  if (!symmetric) {
    const zero = editor.addInitializer('z', codesTensor(scaleDims, zeroPoints, type))
    value = add('Sub', value, cast(zero, 'float32'))
  }
  const scale = editor.addInitializer('s', tensorFromFloat32(scaleDims, scales))
  value = add('Mul', value, scale)
  const integers = (...values: number[]) =>
    editor.addInitializer('i', tensorFromInts('int64', [values.length], values))
  if (isBlocked) {
    const padded = blocks * blockSize
    if (padded > columns) {
      const flat = add('Reshape', value, integers(rows, padded))
      value = add('Slice', flat, integers(0), integers(columns), integers(1))
    }
    value = add('Reshape', value, integers(...weight.dims))
  }
  return weight.dataType === 'float32' ? value : cast(value, 'float16')
}

/** Codes with the last block of each row filled up. */
function paddedCodes({ rows, columns, blocks, spec, codes }: QuantizedMatrix): Uint8Array {
  const width = blocks * spec.blockSize
  if (width === columns) return codes
  const padded = new Uint8Array(rows * width)
  for (let row = 0; row < rows; row++) {
    padded.set(codes.subarray(row * columns, (row + 1) * columns), row * width)
  }
  return padded
}
