// The few statistics that reports need, in closed form and without random numbers.

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Two-sided 95 % quantile of the normal distribution. */
const Z95 = 1.959963984540054

/** Wilson's 95 % interval of a proportion (JASA 22, 1927): stays inside 0 to 1, right for few samples. */
export function wilsonInterval(successes: number, total: number): Interval {
  if (total === 0) return { low: 0, high: 1 }
  const share = successes / total
  const z2 = Z95 ** 2 / total
  const centre = (share + z2 / 2) / (1 + z2)
  const half = (Z95 * Math.sqrt((share * (1 - share)) / total + z2 / total / 4)) / (1 + z2)
  // Exactly 0 and 1 where nothing or everything succeeded, whatever rounding says.
  return {
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === total ? 1 : Math.min(1, centre + half),
  }
}

/**
 * McNemar's exact two-sided p-value: how likely so uneven a split of the samples on which exactly
 * one model is right would be, were both equally good. p = min(1, 2 P(X ≤ min(b, c))), X ~ B(b + c, ½).
 */
export function mcnemarExact(onlyFirstRight: number, onlySecondRight: number): number {
  const trials = onlyFirstRight + onlySecondRight
  const fewer = Math.min(onlyFirstRight, onlySecondRight)
  let logChoose = 0
  let tail = 0
  for (let count = 0; count <= fewer; count++) {
    tail += Math.exp(logChoose - trials * Math.LN2)
    logChoose += Math.log(trials - count) - Math.log(count + 1)
  }
  return Math.min(1, 2 * tail)
}

/**
 * 95 % interval of the difference of two paired proportions, (b − c) / n, by Agresti and Min
 * (Statistics in Medicine 24, 2005): half a sample is added to each cell, then Wald's formula.
 */
export function pairedDifferenceInterval(
  onlyFirst: number,
  onlySecond: number,
  total: number,
): Interval {
  const [b, c, n] = [onlyFirst + 0.5, onlySecond + 0.5, total + 2]
  const difference = (b - c) / n
  const half = (Z95 * Math.sqrt(b + c - (b - c) ** 2 / n)) / n
  return { low: Math.max(-1, difference - half), high: Math.min(1, difference + half) }
}

/** A figure with the standard error of it. */
export interface Estimate {
  readonly value: number
  readonly error: number
  /** 95 %, by Student's law; null with no degree of freedom, or where something is not finite. */
  readonly interval: Interval | null
}

/** `freedom` degrees: the number of independent samples less one. */
export function estimate(value: number, error: number, freedom: number): Estimate {
  const isKnown = freedom >= 1 && Number.isFinite(value) && Number.isFinite(error)
  const half = isKnown ? studentQuantile95(freedom) * error : 0
  return { value, error, interval: isKnown ? { low: value - half, high: value + half } : null }
}

/**
 * Two-sided p-value of an estimate being 0, null where it has no interval. Student's law by way of the
 * normal one: quantiles by Fisher and Cornish's expansion (Technometrics 2, 1960), probabilities by
 * Wallace's (Annals of Math. Stat. 30, 1959).
 */
export function studentTest({ value, error, interval }: Estimate, freedom: number): number | null {
  if (interval === null) return null
  if (error === 0) return value === 0 ? 1 : 0
  const t = Math.abs(value) / error
  const normal =
    ((8 * freedom + 1) / (8 * freedom + 3)) * Math.sqrt(freedom * Math.log1p((t * t) / freedom))
  return twoSidedNormal(normal)
}

/** The first four terms are exact to three digits from three degrees of freedom on. */
function studentQuantile95(freedom: number): number {
  if (freedom === 1) return 12.706
  if (freedom === 2) return 4.3027
  const z = Z95
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ]
  return terms.reduce((sum, term, power) => sum + term / freedom ** (power + 1), z)
}

/** P(|X| > z) of the normal law, within 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function twoSidedNormal(z: number): number {
  const x = z / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const polynomial =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  return Math.min(1, polynomial * Math.exp(-x * x))
}

/** The `share` quantile by the nearest-rank rule: always one of the values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.ceil(share * sorted.length)
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))] ?? NaN
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]!
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/**
 * Interval of the median from order statistics: between the k-th smallest and the k-th greatest
 * value, k the largest for which the binomial law still covers 95 %. With fewer than six values
 * no pair covers that much, and the whole range is returned.
 */
export function medianInterval(values: readonly number[]): Interval {
  const sorted = [...values].sort((a, b) => a - b)
  const n = sorted.length
  let below = Math.exp(-n * Math.LN2) // P(X ≤ k − 1) for k = 1, X ~ B(n, ½)
  let term = below
  let k = 1
  while (k < n / 2) {
    term *= (n - k + 1) / k
    if (2 * (below + term) > 0.05) break
    below += term
    k++
  }
  return { low: sorted[k - 1] ?? NaN, high: sorted[n - k] ?? NaN }
}
