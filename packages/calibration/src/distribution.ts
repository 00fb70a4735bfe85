// A histogram prepared for search: bins in ascending order ("cells") and running sums over them, so
// that what falls between two points costs two look-ups. Values are in units of the lattice.
import type { Histogram } from './histogram.js'
import { BINS, latticeUnit, SIDE, unitBin, unitEdge } from './lattice.js'
import type { Ends } from './statistics.js'

/** Each of these has one entry per cell and one more: what lies below the cell. */
export interface RunningSums {
  /** Values. */
  readonly count: Float64Array
  /** Sum of the values, and of their squares, each taken as the middle of its cell. */
  readonly sum: Float64Array
  readonly squares: Float64Array
}

export interface Distribution {
  /** Real value of 1. */
  readonly unit: number
  /** Least and greatest value, in units. */
  readonly min: number
  readonly max: number
  readonly counts: Float64Array
  /** Made when they are first read: not every method needs them. */
  readonly sums: RunningSums
  readonly total: number
}

export const CELLS = BINS

/** Where all values are smaller, a lattice below them would need smaller floats than there are. */
const LEAST_MAGNITUDE = 2 ** -100

/**
 * `undefined` when there is nothing to search: no finite value was counted, or none that is not as
 * good as 0. Values may lie further out than those that were counted.
 */
export function distributionOf(histogram: Histogram): Distribution | undefined {
  const { range, exponent } = histogram
  if (range === undefined || Math.max(-range.min, range.max) < LEAST_MAGNITUDE) return undefined
  const unit = latticeUnit(exponent)
  const ends = { min: range.min / unit, max: range.max / unit }
  const bins = histogram.counts
  const counts = new Float64Array(CELLS)
  let total = 0
  for (let bin = 0; bin < SIDE; bin++) {
    const [positive, negative] = [bins[bin]!, bins[SIDE + bin]!]
    counts[SIDE + bin] = positive
    counts[SIDE - 1 - bin] = negative
    total += positive + negative
  }
  if (total === 0) return undefined
  let sums: RunningSums | undefined
  return {
    ...{ unit, ...ends, counts, total },
    get sums() {
      return (sums ??= runningSums(counts, ends))
    },
  }
}

function runningSums(counts: Float64Array, ends: Ends): RunningSums {
  const [count, sum, squares] = [0, 0, 0].map(() => new Float64Array(CELLS + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  for (let cell = 0; cell < CELLS; cell++) {
    const n = counts[cell]!
    const x = n === 0 ? 0 : middle(cell, ends)
    count[cell + 1] = count[cell]! + n
    sum[cell + 1] = sum[cell]! + n * x
    squares[cell + 1] = squares[cell]! + n * x * x
  }
  return { count, sum, squares }
}

/** The cells around 0 stand for 0 exactly: a 2^-22nd of the greatest magnitude is nothing else. */
function middle(cell: number, { min, max }: Ends): number {
  if (cell === SIDE || cell === SIDE - 1) return 0
  return (Math.max(cellStart(cell), min) + Math.min(cellStart(cell + 1), max)) / 2
}

/** Lower edge of a cell. */
export function cellStart(cell: number): number {
  return (cellStarts ??= computeCellStarts())[cell]!
}

/** Computed when first asked for: most calibrations need no distribution. */
let cellStarts: Float64Array | undefined

function computeCellStarts(): Float64Array {
  const starts = new Float64Array(CELLS + 1)
  for (let cell = 0; cell <= CELLS; cell++) {
    starts[cell] = cell >= SIDE ? unitEdge(cell - SIDE) : -unitEdge(SIDE - cell)
  }
  return starts
}

export function cellOf(value: number): number {
  return value >= 0 ? SIDE + unitBin(value) : SIDE - 1 - unitBin(-value)
}
