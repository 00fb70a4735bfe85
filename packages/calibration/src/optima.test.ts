// Each method against distributions whose best range is known. Values are the quantiles of the
// distribution at equal distances, so that nothing depends on chance; the scale is any.
import type { CalibrationMethod } from '@pare/recipe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { cellOf, distributionOf } from './distribution.js'
import { Histogram } from './histogram.js'
import { writeHistogram } from './histogram-observer.js'
import { SIDE } from './lattice.js'
import type { RangeOptions } from './methods.js'
import { rangesOf } from './ranges-of.js'
import { type CalibrationStatistics, type Ends, STATISTICS_VERSION } from './statistics.js'

const COUNT = 2 ** 17
const GRID = Float64Array.from({ length: COUNT }, (_, i) => (i + 0.5) / COUNT)

/** Unit variance each, but for `uniform`, which goes from −1 to 1. */
const QUANTILES = {
  normal: normalQuantile,
  laplace: (p: number) => (p < 0.5 ? Math.log(2 * p) : -Math.log(2 - 2 * p)) / Math.SQRT2,
  uniform: (p: number) => 2 * p - 1,
}

type Name = keyof typeof QUANTILES

const VALUES = Object.fromEntries(
  Object.entries(QUANTILES).map(([name, quantile]) => [name, Float64Array.from(GRID, quantile)]),
) as Readonly<Record<Name, Float64Array>>

/** Any power of ten from 1e-6 to 1e6, times 1 to 10. */
const scales = fc
  .tuple(fc.integer({ min: -6, max: 6 }), fc.double({ min: 1, max: 10, noNaN: true }))
  .map(([exponent, factor]) => factor * 10 ** exponent)

function histogramOf(values: ArrayLike<number>, scale = 1): Histogram {
  const histogram = new Histogram()
  histogram.add(Float32Array.from(values, (x) => x * scale))
  return histogram
}

function rangeOf(histogram: Histogram, method: CalibrationMethod, options?: RangeOptions): Ends {
  const statistics: CalibrationStatistics = {
    version: STATISTICS_VERSION,
    kind: 'histogram',
    samples: 1,
    tensors: { a: { rank: 1, state: writeHistogram(histogram) } },
  }
  return rangesOf(statistics, method, options).get('a')!
}

/** In units of the scale. */
function scaledRange(name: Name, scale: number, method: CalibrationMethod): Ends {
  const { min, max } = rangeOf(histogramOf(VALUES[name], scale), method)
  return { min: min / scale, max: max / scale }
}

describe('mse cuts where theory says for 8 bits', () => {
  // Optimal clipping of Banner, Nahshan, Hoffer and Soudry (2019, "Post training 4-bit quantization",
  // appendix): 3.92 standard deviations of a normal and 9.89 b of a Laplace distribution, b = σ/√2.
  it.each([
    ['normal', 3.92],
    ['laplace', 9.89 / Math.SQRT2],
  ] as const)('a %s distribution at ±%d, at any scale', (name, optimum) => {
    fc.assert(
      fc.property(scales, (scale) => {
        const { min, max } = scaledRange(name, scale, 'mse')
        for (const end of [-min, max]) {
          expect(end / optimum).toBeGreaterThan(0.9)
          expect(end / optimum).toBeLessThan(1.1)
        }
      }),
      { numRuns: 8 },
    )
  })

  it('and a uniform distribution nowhere', () => {
    fc.assert(
      fc.property(scales, (scale) => {
        const { min, max } = scaledRange('uniform', scale, 'mse')
        expect(min).toBeCloseTo(-1, 2)
        expect(max).toBeCloseTo(1, 2)
      }),
      { numRuns: 8 },
    )
  })

  it('and cuts off a rare outlier, wherever it lies', () => {
    const body = Float32Array.from(VALUES.normal)
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 60 }), fc.boolean(), (distance, isNegative) => {
        const histogram = new Histogram()
        for (let times = 0; times < 2 ** 5; times++) histogram.add(body)
        // 4 million values: the outlier is worth less than the finer steps are for all others.
        histogram.add(Float32Array.of(isNegative ? -distance : distance))
        const { min, max } = rangeOf(histogram, 'mse')
        expect(Math.max(-min, max)).toBeLessThan(7)
      }),
      { numRuns: 6 },
    )
  })
})

describe('percentile', () => {
  it('is the order statistic, to one bin, whatever the values', () => {
    const values = fc.array(
      fc.oneof(
        fc.float({ min: -1000, max: 1000, noNaN: true }),
        fc.float({ min: -1, max: 1, noNaN: true }),
      ),
      { minLength: 1, maxLength: 400 },
    )
    fc.assert(
      fc.property(values, fc.constantFrom(51, 75, 90, 99, 99.9, 100), (list, percentile) => {
        const sorted = Float32Array.from(list).sort()
        const { min, max } = rangeOf(histogramOf(sorted), 'percentile', { percentile })
        const isOneSided = sorted[0]! >= 0 || sorted.at(-1)! <= 0
        const outside = (1 - percentile / 100) * (isOneSided ? 1 : 0.5)
        const cut = Math.floor(outside * sorted.length + 1e-9)
        const [low, high] = [sorted[cut]!, sorted[sorted.length - 1 - cut]!]
        const greatest = Math.max(...sorted.map(Math.abs))
        // A tensor of smaller values is as good as 0, and keeps the range that it has.
        fc.pre(greatest === 0 || greatest >= 2 ** -100)
        const bin = (value: number) => Math.max(Math.abs(value) * 2 ** -11, greatest * 2 ** -20)
        if (sorted[0]! < 0) {
          expect(min).toBeLessThanOrEqual(low)
          expect(min).toBeGreaterThanOrEqual(low - bin(low))
        }
        if (sorted.at(-1)! > 0) {
          expect(max).toBeGreaterThanOrEqual(high)
          expect(max).toBeLessThanOrEqual(high + bin(high))
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('entropy', () => {
  it('keeps a uniform distribution, at any scale', () => {
    fc.assert(
      fc.property(scales, (scale) => {
        const { min, max } = scaledRange('uniform', scale, 'entropy')
        expect(min).toBeLessThan(-0.98)
        expect(max).toBeGreaterThan(0.98)
      }),
      { numRuns: 6 },
    )
  })

  it.each(['normal', 'laplace'] as const)('cuts off an outlier of a %s distribution', (name) => {
    fc.assert(
      fc.property(fc.integer({ min: 50, max: 5000 }), (distance) => {
        const { min, max } = rangeOf(histogramOf([...VALUES[name], distance]), 'entropy')
        expect(max).toBeLessThan(20)
        expect(max).toBeGreaterThan(3)
        expect(min).toBeLessThan(-3)
      }),
      { numRuns: 6 },
    )
  })
})

describe('one-sided values', () => {
  it.each(['percentile', 'entropy', 'mse', 'auto'] as const)(
    '%s gives them all of the integers',
    (method) => {
      const half = VALUES.normal.map(Math.abs)
      const above = rangeOf(histogramOf(half), method)
      const below = rangeOf(histogramOf(half, -1), method)
      expect(Math.abs(above.min)).toBeLessThan(0.001)
      expect(Math.abs(below.max)).toBeLessThan(0.001)
      // Mirrored, to a bin.
      expect(-below.min / above.max).toBeCloseTo(1, 2)
      // On half as wide a range steps are half as wide: mse has less reason to clip.
      const both = rangeOf(histogramOf(VALUES.normal), method)
      expect(above.max).toBeGreaterThan((method === 'mse' ? 1 : 0.9) * both.max)
    },
  )
})

describe('the bins under a chosen range', () => {
  it('are 2048 or more per side, however far an outlier lies', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 2000 }),
        fc.constantFrom('percentile', 'entropy', 'mse', 'auto'),
        (distance, method: CalibrationMethod) => {
          const histogram = histogramOf([...VALUES.normal.map(Math.abs), distance])
          const { max } = rangeOf(histogram, method)
          const { unit } = distributionOf(histogram)!
          expect(cellOf(max / unit) - SIDE).toBeGreaterThanOrEqual(2048)
        },
      ),
      { numRuns: 12 },
    )
  })
})

/** Acklam's rational approximation, exact to 1.2e-9 of the value. */
function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p)
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269]
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972]
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416]
  const polynomial = (coefficients: readonly number[], x: number) =>
    coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    const numerator = polynomial([...c, 4.374664141464968, 2.938163982698783], q)
    return numerator / polynomial([...d, 1], q)
  }
  const q = p - 0.5
  const r = q * q
  const numerator = polynomial([...a, -30.66479806614716, 2.506628277459239], r) * q
  return numerator / polynomial([...b, -13.28068155288572, 1], r)
}
