// A distribution as a picture needs it: few bins of equal width over the whole observed range.
import { readHistogram } from './histogram-observer.js'
import { BINS, latticeUnit, SIDE, unitEdge } from './lattice.js'
import type { Ends, HistogramState } from './statistics.js'

/** `counts[i]` values lie between `min + i · width` and `min + (i + 1) · width`. */
export interface CoarseHistogram extends Ends {
  readonly counts: readonly number[]
}

/**
 * The counts of a state in `bins` bins of equal width; undefined where no finite value was seen. A
 * bin of the lattice goes whole to the bin that holds its middle, which moves a value by less than
 * 2⁻¹² of its magnitude.
 */
export function coarseHistogram(state: HistogramState, bins: number): CoarseHistogram | undefined {
  const { range, counts, exponent } = readHistogram(state)
  if (range === undefined) return undefined
  const width = (range.max - range.min) / bins
  const unit = latticeUnit(exponent)
  const coarse = new Array<number>(bins).fill(0)
  for (let bin = 0; bin < BINS; bin++) {
    const n = counts[bin]!
    if (n === 0) continue
    const at = width === 0 ? 0 : Math.floor((middle(bin, unit, range) - range.min) / width)
    coarse[Math.min(bins - 1, Math.max(0, at))]! += n
  }
  return { ...range, counts: coarse }
}

/** The middle of that part of a bin of the lattice that lies in the range. */
function middle(bin: number, unit: number, { min, max }: Ends): number {
  const at = bin < SIDE ? bin : bin - SIDE
  const [near, far] = [unitEdge(at) * unit, unitEdge(at + 1) * unit]
  const [low, high] = bin < SIDE ? [near, far] : [-far, -near]
  return (Math.max(low, min) + Math.min(high, max)) / 2
}
