import { CELLS, cellStart, type Distribution } from './distribution.js'
import type { Ends } from './statistics.js'

/**
 * The range that holds `percentile` per cent of the values. What is cut off is cut off in equal parts
 * on both sides; all of it at the far end where the values have one sign, since 0 is in the range
 * either way. Each end is the outer edge of the bin in which the value of that rank lies, and no
 * further than the last value: never less than `percentile` per cent are inside.
 */
export function percentileRange(distribution: Distribution, percentile: number): Ends {
  const { min, max, total } = distribution
  const isOneSided = min >= 0 || max <= 0
  const outside = (1 - percentile / 100) * (isOneSided ? 1 : 0.5)
  // A part of a value cannot be cut off. 1e-9 forgives the rounding of 1 − 99.99/100.
  const cut = Math.floor(outside * total + 1e-9)
  // Not all values need have been counted, but all are in the range.
  if (cut === 0) return { min, max }
  return {
    min: min >= 0 ? min : Math.max(min, cellStart(lowest(distribution, cut))),
    max: max <= 0 ? max : Math.min(max, cellStart(highest(distribution, cut) + 1)),
  }
}

/** The first cell with more than `cut` values up to its end. */
function lowest({ counts }: Distribution, cut: number): number {
  let cell = 0
  for (let below = counts[0]!; cell < CELLS - 1 && below <= cut; below += counts[cell]!) cell++
  return cell
}

/** The last cell with more than `cut` values from its start. */
function highest({ counts }: Distribution, cut: number): number {
  let cell = CELLS - 1
  for (let above = counts[cell]!; cell > 0 && above <= cut; above += counts[cell]!) cell--
  return cell
}
