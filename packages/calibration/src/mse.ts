// The range with the least mean squared quantization error.
import type { Distribution } from './distribution.js'
import type { ResolvedRangeOptions } from './methods.js'
import { clippingError, quantizationError } from './quantization-error.js'
import type { Ends } from './statistics.js'

/** Ends are tried at every 2^(1/16), then at every 2^(1/128) around the best. */
const COARSE = 16
const FINE = 128
/** Ends nearer to 0 than the farthest by 2^-12 are not tried. */
const OCTAVES = 12

/**
 * Tries thresholds for both sides together, then each side alone until neither moves. A threshold
 * closer to 0 clips more: the search along one side ends where clipping alone is worse than the best.
 */
export function mseRange(distribution: Distribution, options: ResolvedRangeOptions): Ends {
  const { min, max } = distribution
  const search = new Search(distribution, options)
  const farthest = Math.max(-min, max)
  search.along(farthest, (t) => ({ min: Math.max(min, -t), max: Math.min(max, t) }))
  if (!options.symmetric && min < 0 && max > 0) {
    for (let round = 0; round < 2; round++) {
      search.along(max, (t) => ({ min: search.best.min, max: t }))
      search.along(-min, (t) => ({ min: -t, max: search.best.max }))
    }
  }
  return search.best
}

class Search {
  best: Ends
  private leastError: number
  private readonly distribution: Distribution
  private readonly options: ResolvedRangeOptions

  constructor(distribution: Distribution, options: ResolvedRangeOptions) {
    this.distribution = distribution
    this.options = options
    this.best = { min: distribution.min, max: distribution.max }
    this.leastError = quantizationError(distribution, this.best, options)
  }

  along(farthest: number, rangeAt: (threshold: number) => Ends): void {
    let found = 0
    const attempt = (octaves: number) => {
      const range = rangeAt(farthest * 2 ** -octaves)
      if (this.isHopeless(range)) return false
      if (this.improves(range)) found = octaves
      return true
    }
    for (let i = 0; i <= OCTAVES * COARSE && attempt(i / COARSE); i++);
    const around = found
    for (let i = 1 - FINE / COARSE; i < FINE / COARSE; i++) {
      if (i !== 0 && around + i / FINE >= 0) attempt(around + i / FINE)
    }
  }

  private isHopeless(range: Ends): boolean {
    const widened = { min: Math.min(range.min, 0), max: Math.max(range.max, 0) }
    return clippingError(this.distribution, widened) / this.distribution.total > this.leastError
  }

  private improves(range: Ends): boolean {
    const error = quantizationError(this.distribution, range, this.options)
    if (!(error < this.leastError)) return false
    this.leastError = error
    this.best = range
    return true
  }
}
