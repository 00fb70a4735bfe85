import { cellOf, CELLS, type Distribution } from './distribution.js'
import type { ResolvedRangeOptions } from './methods.js'
import type { Ends } from './statistics.js'

/** With more levels than this the cells are no finer than the steps, and theory takes over. */
const MOST_COUNTED_LEVELS = 255

/**
 * The mean squared difference (in squared units) between the values and what quantization to `range`
 * makes of them. The range is widened to 0 and the zero point is an integer, as quantization will
 * have it.
 */
export function quantizationError(
  distribution: Distribution,
  range: Ends,
  options: ResolvedRangeOptions,
): number {
  const { sums, total } = distribution
  const { lowest, step, levels } = integerGrid(range, options)
  if (!(step > 0)) return sums.squares[CELLS]! / total
  if (levels > MOST_COUNTED_LEVELS) {
    const highest = lowest + levels * step
    const inside = sums.count[cellOf(highest)]! - sums.count[cellOf(lowest)]!
    const clipped = clippingError(distribution, { min: lowest, max: highest })
    return (clipped + (inside * step * step) / 12) / total
  }
  let error = 0
  let start = 0
  for (let level = 0; level <= levels; level++) {
    const value = lowest + level * step
    const end = level === levels ? CELLS : cellOf(value + step / 2)
    if (end > start) error += squaredDistance(distribution, { start, end, value })
    start = Math.max(start, end)
  }
  return Math.max(0, error) / total
}

/** Sum of the squared distances of what lies outside a range from its ends. */
export function clippingError(distribution: Distribution, { min, max }: Ends): number {
  const below = { start: 0, end: cellOf(min), value: min }
  const above = { start: cellOf(max), end: CELLS, value: max }
  return squaredDistance(distribution, below) + squaredDistance(distribution, above)
}

interface CellGroup {
  readonly start: number
  readonly end: number
  readonly value: number
}

function squaredDistance({ sums }: Distribution, { start, end, value }: CellGroup): number {
  const { count, sum, squares } = sums
  const linear = sum[end]! - sum[start]!
  return (
    squares[end]! -
    squares[start]! -
    2 * value * linear +
    value * value * (count[end]! - count[start]!)
  )
}

interface IntegerGrid {
  readonly lowest: number
  readonly step: number
  /** The grid has one value more. */
  readonly levels: number
}

function integerGrid(range: Ends, { bits, symmetric }: ResolvedRangeOptions): IntegerGrid {
  const min = Math.min(0, range.min)
  const max = Math.max(0, range.max)
  if (symmetric) {
    const levels = 2 ** bits - 2
    const end = Math.max(-min, max)
    return { lowest: -end, step: (2 * end) / levels, levels }
  }
  const levels = 2 ** bits - 1
  const step = (max - min) / levels
  return { lowest: step > 0 ? -Math.round(-min / step) * step : 0, step, levels }
}
