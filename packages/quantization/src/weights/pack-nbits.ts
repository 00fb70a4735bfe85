// com.microsoft.MatMulNBits: how its weight and zero points lie in memory (contrib_defs.cc).
import type { WeightBits } from '@pare/recipe'

import { middle, type QuantizedMatrix } from './block-grid.js'

export interface PackedNBits {
  /** uint8 [rows, blocks, blockSize · bits / 8], first code in the lowest bits, 0 behind the last. */
  readonly weight: Uint8Array
  /** uint8 [rows, ⌈blocks · bits / 8⌉], the middle behind the last. Undefined when symmetric. */
  readonly zeroPoints: Uint8Array | undefined
}

export function packNBits(matrix: QuantizedMatrix): PackedNBits {
  const { spec, rows, columns, blocks } = matrix
  const weight = packRows(matrix.codes, {
    rows,
    columns,
    padded: blocks * spec.blockSize,
    bits: spec.bits,
    padding: 0,
  })
  if (spec.symmetric) return { weight, zeroPoints: undefined }
  const zeroPoints = packRows(matrix.zeroPoints, {
    rows,
    columns: blocks,
    padded: blocks,
    bits: spec.bits,
    padding: middle(spec.bits),
  })
  return { weight, zeroPoints }
}

interface RowLayout {
  readonly rows: number
  readonly columns: number
  /** Codes per row with padding; a last byte that is not full is filled up too. */
  readonly padded: number
  readonly bits: WeightBits
  readonly padding: number
}

function packRows(codes: Uint8Array, layout: RowLayout): Uint8Array {
  const { rows, columns, padded, bits, padding } = layout
  const perByte = 8 / bits
  const bytes = Math.ceil(padded / perByte)
  const packed = new Uint8Array(rows * bytes)
  for (let row = 0; row < rows; row++) {
    for (let byte = 0; byte < bytes; byte++) {
      let joined = 0
      for (let slot = 0; slot < perByte; slot++) {
        const column = byte * perByte + slot
        const code = column < columns ? codes[row * columns + column]! : padding
        joined |= code << (slot * bits)
      }
      packed[row * bytes + byte] = joined
    }
  }
  return packed
}
