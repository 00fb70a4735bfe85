// What is left to gain when every rounding is decided: weights are flipped one at a time as long as
// a flip makes D·G·Dᵀ smaller. It ends where no single flip does.
import type { RoundingProblem } from './adaround-optimize.js'

/** Rounds of flips over all columns; measured to end after three to six. */
const MAX_ROUNDS = 20
/** A flip must gain more than what arithmetic may pretend. */
const LEAST_GAIN = 1e-6

/** Changes `upper` in place. Only weights whose rounding is open are flipped. */
export function descend(problem: RoundingProblem, upper: Uint8Array): void {
  const { blocks, rows, columns, gram, target, settled } = problem
  const pull = new Float64Array(columns)
  for (let block = 0; block < blocks; block++) {
    const g = gram.subarray(block * columns * columns, (block + 1) * columns * columns)
    for (let row = 0; row < rows; row++) {
      const at = (block * rows + row) * columns
      const end = at + columns
      const line = {
        upper: upper.subarray(at, end),
        target: target.subarray(at, end),
        settled: settled.subarray(at, end),
      }
      descendRow(g, line, pull)
    }
  }
}

interface Line {
  readonly upper: Uint8Array
  readonly target: Float32Array
  readonly settled: Int8Array
}

function descendRow(gram: Float32Array, { upper, target, settled }: Line, pull: Float64Array) {
  const columns = pull.length
  pull.fill(0)
  for (let i = 0; i < columns; i++) {
    addRow(pull, gram, { row: i, factor: upper[i]! - target[i]! })
  }
  for (let round = 0, flips = 1; round < MAX_ROUNDS && flips > 0; round++) {
    flips = 0
    for (let i = 0; i < columns; i++) {
      if (settled[i] !== -1) continue
      const change = 1 - 2 * upper[i]!
      // (D + c·e_i)·G·(D + c·e_i)ᵀ − D·G·Dᵀ
      const difference = 2 * change * pull[i]! + gram[i * columns + i]!
      if (difference > -LEAST_GAIN) continue
      upper[i] = 1 - upper[i]!
      addRow(pull, gram, { row: i, factor: change })
      flips++
    }
  }
}

function addRow(
  sums: Float64Array,
  gram: Float32Array,
  { row, factor }: { readonly row: number; readonly factor: number },
): void {
  const at = row * sums.length
  for (let j = 0; j < sums.length; j++) sums[j]! += factor * gram[at + j]!
}

/** Σ over the rows of weight · D·G·Dᵀ, in units of the problem's Gram matrix. */
export function roundingError(
  { blocks, rows, columns, gram, target }: RoundingProblem,
  upper: Uint8Array,
  weightOf: (block: number, row: number) => number,
): number {
  let error = 0
  const d = new Float64Array(columns)
  for (let block = 0; block < blocks; block++) {
    const start = block * columns * columns
    for (let row = 0; row < rows; row++) {
      const at = (block * rows + row) * columns
      for (let i = 0; i < columns; i++) d[i] = upper[at + i]! - target[at + i]!
      let sum = 0
      for (let i = 0; i < columns; i++) {
        let pull = 0
        for (let j = 0; j < columns; j++) pull += gram[start + i * columns + j]! * d[j]!
        sum += pull * d[i]!
      }
      error += weightOf(block, row) * sum
    }
  }
  return error
}
