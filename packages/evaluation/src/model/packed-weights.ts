// Weights of MatMulNBits, several to a byte (contrib_defs.cc of onnxruntime): B is uint8
// [N, ⌈K / block_size⌉, block_size · bits / 8], the first code in the lowest bits; zero_points is uint8
// [N, ⌈blocks · bits / 8⌉], packed alike, and 2^(bits − 1) everywhere where there are none.
import { intAttribute, type Node } from '@pare/graph'
import { type Tensor, toNumbers } from '@pare/tensor'

export interface PackedWeight {
  /** Weights that there are, without what fills up blocks. */
  readonly elements: number
  /** Those that stand for 0. */
  readonly zeros: number
}

/** Undefined where the node or its constants are not of that form. */
export function packedWeight(
  node: Node,
  constant: (name: string) => Tensor | undefined,
): PackedWeight | undefined {
  if (node.opType !== 'MatMulNBits' || node.domain !== 'com.microsoft') return undefined
  const [, weight = '', , zeroPoint = ''] = node.inputs
  const codes = constant(weight)
  const [k, n] = [intAttribute(node, 'K', 0), intAttribute(node, 'N', 0)]
  const bits = intAttribute(node, 'bits', 4)
  const blockSize = intAttribute(node, 'block_size', 0)
  if (codes?.dataType !== 'uint8' || k * n * blockSize === 0) return undefined
  const zeroPoints = zeroPoint === '' ? undefined : constant(zeroPoint)
  // Unpacked zero points are floats: what they stand for is no code.
  if (zeroPoint !== '' && zeroPoints?.dataType !== 'uint8') return undefined
  const layout = { k, n, bits, blockSize, blocks: Math.ceil(k / blockSize) }
  return { elements: k * n, zeros: countZeros(layout, codes, zeroPoints) }
}

interface Layout {
  readonly k: number
  readonly n: number
  readonly bits: number
  readonly blockSize: number
  readonly blocks: number
}

function countZeros(layout: Layout, codes: Tensor, zeroPoints: Tensor | undefined): number {
  const { k, n, bits, blockSize, blocks } = layout
  const codeAt = unpacker(codes, bits, blocks * blockSize)
  const zeroAt =
    zeroPoints === undefined ? () => 1 << (bits - 1) : unpacker(zeroPoints, bits, blocks)
  let zeros = 0
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < k; column++) {
      if (codeAt(row, column) === zeroAt(row, Math.floor(column / blockSize))) zeros++
    }
  }
  return zeros
}

/** Reads codes of rows that each begin at a byte. */
function unpacker(packed: Tensor, bits: number, columns: number) {
  const bytes = toNumbers(packed) as ArrayLike<number>
  const perByte = 8 / bits
  const rowBytes = Math.ceil(columns / perByte)
  const mask = (1 << bits) - 1
  return (row: number, column: number): number =>
    (bytes[row * rowBytes + Math.floor(column / perByte)]! >> ((column % perByte) * bits)) & mask
}
