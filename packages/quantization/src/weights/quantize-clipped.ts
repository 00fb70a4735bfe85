// Round to nearest on grids whose ranges are chosen by the error at the output: each block by its
// own part of the Gram matrix, Δw·G·Δwᵀ (the clipping step of AWQ).
import {
  emptyQuantized,
  encodeBlock,
  type GridSpec,
  type QuantizedMatrix,
  type WeightMatrix,
} from './block-grid.js'
import { clippedGrid } from './clip-grid.js'
import { quadraticForm } from './error.js'

export function quantizeClipped(
  matrix: WeightMatrix,
  spec: GridSpec,
  gram: Float64Array,
): QuantizedMatrix {
  const { rows, columns, values } = matrix
  const target = emptyQuantized(matrix, spec)
  for (let block = 0; block < target.blocks; block++) {
    const start = block * spec.blockSize
    const end = Math.min(start + spec.blockSize, columns)
    const part = diagonalPart(gram, columns, { start, end })
    for (let row = 0; row < rows; row++) {
      const weights = values.subarray(row * columns + start, row * columns + end)
      const grid = clippedGrid(weights, spec, (errors) => quadraticForm(errors, part))
      encodeBlock(target, { values, row, block }, grid)
    }
  }
  return target
}

function diagonalPart(
  gram: Float64Array,
  columns: number,
  { start, end }: { readonly start: number; readonly end: number },
): Float64Array {
  const size = end - start
  const part = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    const row = (start + i) * columns + start
    part.set(gram.subarray(row, row + size), i * size)
  }
  return part
}
