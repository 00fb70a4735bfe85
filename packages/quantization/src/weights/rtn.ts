// Round to nearest: each block spans its smallest to its greatest weight.
import {
  emptyQuantized,
  encodeBlock,
  type GridSpec,
  type QuantizedMatrix,
  rangeOf,
  spanningGrid,
  type WeightMatrix,
} from './block-grid.js'

/** Codes and scales are those of onnxruntime's MatMulNBitsQuantizer. */
export function quantizeRtn(matrix: WeightMatrix, spec: GridSpec): QuantizedMatrix {
  const { columns, values } = matrix
  const target = emptyQuantized(matrix, spec)
  for (let row = 0; row < matrix.rows; row++) {
    for (let block = 0; block < target.blocks; block++) {
      const start = row * columns + block * spec.blockSize
      const [low, high] = rangeOf(
        values,
        start,
        Math.min(start + spec.blockSize, (row + 1) * columns),
      )
      encodeBlock(target, { values, row, block }, spanningGrid(low, high, spec))
    }
  }
  return target
}
