// A sum over a sum of the same samples, Σx / Σm: x what a sample contributes (its error, its right
// pixels), m how many elements it has. Samples are independent and their elements are not, so the
// error of the ratio is that of samples (Cochran, Sampling Techniques, 1977, 6.3):
//   var(R) ≈ n / (n − 1) · Σ (x − R m)² / (Σm)²
// With as many elements in every sample it is the error of a mean. The sums are of fixed size.
import { type Estimate, estimate, studentTest } from '../statistics.js'
import type { Figure, Finding } from './metric.js'

export interface PairedRatio {
  readonly samples: number
  readonly elements: number
  readonly elementsSquared: number
  readonly original: Moments
  readonly result: Moments
  /** Of result − original. */
  readonly difference: Moments
}

interface Moments {
  readonly sum: number
  readonly squares: number
  /** Σ x m */
  readonly byElements: number
}

/** One sample: what it contributes in each model, and of how many elements. */
export interface SamplePair {
  readonly original: number
  readonly result: number
  readonly elements: number
}

/** Adds up the samples that have elements. */
export function sumSamples(pairs: Iterable<SamplePair>): PairedRatio {
  let [samples, elements, elementsSquared] = [0, 0, 0]
  const sums = [new MomentSums(), new MomentSums(), new MomentSums()] as const
  for (const { original, result, elements: m } of pairs) {
    if (m === 0) continue
    samples++
    elements += m
    elementsSquared += m * m
    sums[0].add(original, m)
    sums[1].add(result, m)
    sums[2].add(result - original, m)
  }
  const [original, result, difference] = sums
  return { samples, elements, elementsSquared, original, result, difference }
}

class MomentSums implements Moments {
  sum = 0
  squares = 0
  byElements = 0

  add(x: number, m: number): void {
    this.sum += x
    this.squares += x * x
    this.byElements += x * m
  }
}

export function mergeRatios(a: PairedRatio, b: PairedRatio): PairedRatio {
  return {
    samples: a.samples + b.samples,
    elements: a.elements + b.elements,
    elementsSquared: a.elementsSquared + b.elementsSquared,
    original: addMoments(a.original, b.original),
    result: addMoments(a.result, b.result),
    difference: addMoments(a.difference, b.difference),
  }
}

function addMoments(a: Moments, b: Moments): Moments {
  return {
    sum: a.sum + b.sum,
    squares: a.squares + b.squares,
    byElements: a.byElements + b.byElements,
  }
}

/** The two ratios, their difference and the paired t-test; null where there is no element. */
export function finishRatio(sums: PairedRatio): Finding | null {
  if (sums.elements === 0) return null
  const difference = estimateOf(sums, sums.difference)
  return {
    original: figure(estimateOf(sums, sums.original)),
    result: figure(estimateOf(sums, sums.result)),
    difference: difference.interval,
    p_value: studentTest(difference, sums.samples - 1),
    test: 'paired_t',
  }
}

function estimateOf(sums: PairedRatio, { sum, squares, byElements }: Moments): Estimate {
  const { samples: n, elements, elementsSquared } = sums
  const value = sum / elements
  const residuals = squares - 2 * value * byElements + value * value * elementsSquared
  // What is left of sums that cancel is rounding.
  const isRounding = Math.abs(residuals) < 1e-14 * squares
  const variance = isRounding ? 0 : (n / (n - 1)) * (Math.max(0, residuals) / elements ** 2)
  return estimate(value, Math.sqrt(variance), n - 1)
}

function figure({ value, interval }: Estimate): Figure {
  return { value, interval }
}
