// How far a quantized weight is from the original: by itself, and at the layer's output.
import type { WeightMatrix } from './block-grid.js'

/** Multiplications that an estimate of the error at the output may cost, and the rows it looks at. */
const MAX_PRODUCTS = 2 ** 25
const MIN_ROWS = 16

export interface ErrorEnergy {
  readonly signal: number
  readonly error: number
}

export function weightError(matrix: WeightMatrix, other: WeightMatrix): ErrorEnergy {
  let signal = 0
  let error = 0
  for (let i = 0; i < matrix.values.length; i++) {
    const value = matrix.values[i]!
    signal += value * value
    error += (value - other.values[i]!) ** 2
  }
  return { signal, error }
}

/** Σ over output rows of w·G·wᵀ and of (w − ŵ)·G·(w − ŵ)ᵀ: energies of the output and its error. */
export function outputError(
  matrix: WeightMatrix,
  other: WeightMatrix,
  gram: Float64Array,
): ErrorEnergy {
  const { columns } = matrix
  let signal = 0
  let error = 0
  const difference = new Float64Array(columns)
  for (const row of sampledRows(matrix)) {
    const weights = matrix.values.subarray(row * columns, (row + 1) * columns)
    for (let i = 0; i < columns; i++) {
      difference[i] = weights[i]! - other.values[row * columns + i]!
    }
    signal += quadraticForm(weights, gram)
    error += quadraticForm(difference, gram)
  }
  return { signal, error }
}

/** Output rows that errors are estimated from: evenly spaced, all of them in a small matrix. */
export function sampledRows({
  rows,
  columns,
}: Pick<WeightMatrix, 'rows' | 'columns'>): readonly number[] {
  const affordable = Math.max(MIN_ROWS, Math.floor(MAX_PRODUCTS / columns ** 2))
  const count = Math.min(rows, affordable)
  return Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count))
}

/** v·G·vᵀ for a symmetric G, [n, n] row-major. */
export function quadraticForm(v: Float32Array | Float64Array, gram: Float64Array): number {
  const size = v.length
  let sum = 0
  for (let i = 0; i < size; i++) {
    const x = v[i]!
    if (x === 0) continue
    const row = i * size
    let inner = 0
    for (let j = i + 1; j < size; j++) inner += gram[row + j]! * v[j]!
    sum += x * (gram[row + i]! * x + 2 * inner)
  }
  return sum
}

/** Decibels; undefined where there is no signal, 999 where there is no error. */
export function decibels({ signal, error }: ErrorEnergy): number | undefined {
  if (!(signal > 0)) return undefined
  return error <= 0 ? 999 : 10 * Math.log10(signal / error)
}
