// Per tensor, the range among all methods that pays.
import type { Distribution } from './distribution.js'
import { entropyRange } from './entropy.js'
import type { ResolvedRangeOptions } from './methods.js'
import { mseRange } from './mse.js'
import { percentileRange } from './percentile.js'
import { quantizationError } from './quantization-error.js'
import type { Ends } from './statistics.js'

/**
 * A range may clip only where that saves more than a fifth of the squared error (1 dB). Rounding
 * errors have no bias and average out in the next layer's sums; clipping errors have a sign, hit the
 * same few values of greatest weight, and do not.
 */
const WORTHWHILE = 1.25

/**
 * The widest range among min-max, percentile, entropy and mse whose measured error is not more than
 * `WORTHWHILE` times the least of them.
 */
export function autoRange(distribution: Distribution, options: ResolvedRangeOptions): Ends {
  const { min, max } = distribution
  const candidates = [
    { min, max },
    percentileRange(distribution, options.percentile),
    entropyRange(distribution, options),
    mseRange(distribution, options),
  ].map((range) => ({ range, error: quantizationError(distribution, range, options) }))
  const least = Math.min(...candidates.map(({ error }) => error))
  const [widest] = candidates
    .filter(({ error }) => error <= WORTHWHILE * least)
    .sort((a, b) => b.range.max - b.range.min - (a.range.max - a.range.min))
  return widest!.range
}
