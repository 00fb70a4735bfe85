// What the tests of weight quantization share: weights and inputs of known kinds.
import { createRandom } from '@pare/tensor'

import type { GridSpec, WeightMatrix } from './block-grid.js'

export const FOUR_BITS: GridSpec = {
  bits: 4,
  blockSize: 16,
  symmetric: false,
  scaleType: 'float32',
}

export function randomMatrix(rows: number, columns: number, seed: number): WeightMatrix {
  const { normal } = createRandom(seed)
  return { rows, columns, values: Float32Array.from({ length: rows * columns }, normal) }
}

/** X [rows, columns] whose columns share a few hidden causes, as activations of networks do. */
export function correlatedInputs(rows: number, columns: number, seed: number): Float32Array {
  const { normal } = createRandom(seed)
  const causes = 6
  const mix = Float64Array.from({ length: causes * columns }, normal)
  const x = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    const cause = Float64Array.from({ length: causes }, normal)
    for (let column = 0; column < columns; column++) {
      let sum = 0.3 * normal()
      for (let k = 0; k < causes; k++) sum += cause[k]! * mix[k * columns + column]!
      x[row * columns + column] = sum
    }
  }
  return x
}

/** Makes every sixteenth column `factor` times as large. */
export function withOutliers(x: Float32Array, columns: number, factor: number): Float32Array {
  return x.map((value, i) => ((i % columns) % 16 === 3 ? value * factor : value))
}

/** XᵀX. */
export function gramOf(x: Float32Array, columns: number): Float64Array {
  const gram = new Float64Array(columns * columns)
  for (let row = 0; row < x.length; row += columns) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) gram[i * columns + j]! += x[row + i]! * x[row + j]!
    }
  }
  return gram
}
