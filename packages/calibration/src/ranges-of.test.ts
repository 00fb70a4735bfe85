import type { CalibrationMethod } from '@pare/recipe'
import { createRandom } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type Distribution, distributionOf } from './distribution.js'
import { Histogram } from './histogram.js'
import { writeHistogram } from './histogram-observer.js'
import { RANGE_DEFAULTS, type RangeOptions } from './methods.js'
import { quantizationError } from './quantization-error.js'
import { rangesOf, withRangesOf } from './ranges-of.js'
import { type CalibrationStatistics, type Ends, STATISTICS_VERSION } from './statistics.js'

function normals(count: number, seed = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal())
}

function statisticsOf(values: Float32Array): CalibrationStatistics {
  const histogram = new Histogram()
  histogram.add(values)
  return statisticsFrom(histogram)
}

function statisticsFrom(histogram: Histogram): CalibrationStatistics {
  const state = writeHistogram(histogram)
  return {
    version: STATISTICS_VERSION,
    kind: 'histogram',
    samples: 1,
    tensors: { a: { rank: 1, state } },
  }
}

function rangeOf(values: Float32Array, method: CalibrationMethod, options?: RangeOptions): Ends {
  return rangesOf(statisticsOf(values), method, options).get('a')!
}

/** As `quantizeStatic` will do it, by the definition. */
function measuredError(values: Float32Array, { min, max }: Ends): number {
  const [low, high] = [Math.min(min, 0), Math.max(max, 0)]
  const scale = (high - low) / 255
  const zero = Math.round(-low / scale)
  const error = (x: number) => {
    const q = Math.min(255, Math.max(0, Math.round(x / scale) + zero))
    return (x - (q - zero) * scale) ** 2
  }
  return values.reduce((sum, x) => sum + error(x), 0) / values.length
}

function withOutlier(values: Float32Array, outlier: number): Float32Array {
  const all = new Float32Array(values.length + 1)
  all.set(values)
  all[values.length] = outlier
  return all
}

/** `values` many times over and one outlier: its weight in the squared error becomes negligible. */
function rareOutlier(values: Float32Array, outlier: number): CalibrationStatistics {
  const histogram = new Histogram()
  histogram.add(values)
  for (let doubling = 0; doubling < 8; doubling++) histogram.merge(histogram)
  histogram.add(Float32Array.of(outlier))
  return statisticsFrom(histogram)
}

describe('percentile', () => {
  it('cuts equal parts from both sides and never more than asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(90, 99, 99.9),
        (list, percentile) => {
          const values = Float32Array.from(list).sort()
          const { min, max } = rangeOf(values, 'percentile', { percentile })
          const isOneSided = values[0]! >= 0 || values.at(-1)! <= 0
          const cut = Math.floor(
            (1 - percentile / 100) * values.length * (isOneSided ? 1 : 0.5) + 1e-9,
          )
          const below = values.filter((x) => x < min).length
          const above = values.filter((x) => x > max).length
          expect(Math.max(below, above)).toBeLessThanOrEqual(cut)
          expect(min).toBeGreaterThanOrEqual(values[0]!)
          expect(max).toBeLessThanOrEqual(values.at(-1)!)
        },
      ),
    )
  })

  it('finds the quantiles of a normal distribution despite an outlier', () => {
    const { min, max } = rangeOf(withOutlier(normals(200_000), 1e3), 'percentile', {
      percentile: 99,
    })
    expect(min).toBeCloseTo(-2.5758, 1)
    expect(max).toBeCloseTo(2.5758, 1)
  })

  it('cuts one-sided values at the far end only', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => i + 1)
    expect(rangeOf(values, 'percentile', { percentile: 99 })).toEqual({ min: 1, max: 990.25 })
  })

  it('keeps every value when there are too few to cut a part off', () => {
    expect(rangeOf(Float32Array.of(-3, 1, 40), 'percentile')).toEqual({ min: -3, max: 40 })
  })
})

describe('entropy', () => {
  it('clips an outlier, which it did not in a peer with as many bins as levels', () => {
    const { min, max } = rangeOf(withOutlier(normals(200_000), 40), 'entropy')
    for (const end of [-min, max]) {
      expect(end).toBeGreaterThan(3.5)
      expect(end).toBeLessThan(6)
    }
  })

  it('clips an outlier a thousand times as far, which would leave a few uniform bins', () => {
    const { max } = rangeOf(withOutlier(normals(200_000), 4000), 'entropy')
    expect(max).toBeGreaterThan(3.5)
    expect(max).toBeLessThan(6)
  })

  it('keeps the full range of uniform values', () => {
    const random = createRandom(3)
    const values = Float32Array.from({ length: 100_000 }, () => random.uniform() * 2 - 1)
    const { min, max } = rangeOf(values, 'entropy')
    expect(min).toBeLessThan(-0.98)
    expect(max).toBeGreaterThan(0.98)
  })

  it('does not see how many zeros Relu made', () => {
    const body = normals(50_000).map((x) => Math.max(0, x))
    const padded = new Float32Array(500_000)
    padded.set(body)
    expect(rangeOf(padded, 'entropy')).toEqual(rangeOf(body, 'entropy'))
    expect(rangeOf(body, 'entropy').min).toBe(0)
  })
})

describe('mse', () => {
  it.each([
    ['normal', normals(50_000)],
    ['normal with an outlier', withOutlier(normals(50_000), 40)],
    ['one-sided', normals(50_000).map((x) => Math.max(0, x))],
    ['heavy tails', normals(50_000).map((x) => x ** 3)],
    ['lopsided', normals(50_000).map((x) => (x < 0 ? x / 10 : x ** 2))],
  ])('is within 2 %% of the least error of any range, for %s values', (_, values) => {
    const found = measuredError(values, rangeOf(values, 'mse'))
    const [least, greatest] = [Math.min(...values), Math.max(...values)]
    const ends = Array.from({ length: 24 }, (_, i) => 2 ** (-i / 4))
    const errors = ends.flatMap((a) =>
      ends.map((b) => measuredError(values, { min: least * a, max: greatest * b })),
    )
    expect(found).toBeLessThan(1.02 * Math.min(...errors))
  })

  it('cuts a normal distribution where theory says for 8 bits', () => {
    // Optimal uniform quantizer with 256 levels: step 0.0308, so ends at ±3.94 (Max, 1960; Hui and
    // Neuhoff, 2001).
    const { min, max } = rangesOf(rareOutlier(normals(100_000), 40), 'mse').get('a')!
    expect(max - min).toBeGreaterThan(7.4)
    expect(max - min).toBeLessThan(8.4)
  })

  it('knows the quantization error of the values from their histogram', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.float({ min: Math.fround(0.3), max: 5, noNaN: true }),
        (seed, end) => {
          const values = normals(5000, seed)
          const histogram = new Histogram()
          histogram.add(values)
          const distribution = distributionOf(histogram)!
          const range = { min: -end / distribution.unit, max: end / distribution.unit }
          const error =
            quantizationError(distribution, range, RANGE_DEFAULTS) * distribution.unit ** 2
          const exact = measuredError(values, { min: -end, max: end })
          expect(Math.abs(error - exact)).toBeLessThan(0.05 * exact)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('auto', () => {
  const options = RANGE_DEFAULTS
  const error = (distribution: Distribution, { min, max }: Ends) =>
    quantizationError(
      distribution,
      { min: min / distribution.unit, max: max / distribution.unit },
      options,
    )

  it('clips where that pays', () => {
    expect(rangesOf(rareOutlier(normals(100_000), 40), 'auto').get('a')!.max).toBeLessThan(6)
  })

  it('keeps the full range where clipping gains little', () => {
    const values = normals(20_000)
    expect(rangeOf(values, 'auto')).toEqual(rangeOf(values, 'minmax'))
  })

  it('has at most 1 dB more error than any method', () => {
    for (const outlier of [5, 8, 20, 400]) {
      const values = withOutlier(normals(30_000), outlier)
      const histogram = new Histogram()
      histogram.add(values)
      const distribution = distributionOf(histogram)!
      const chosen = error(distribution, rangeOf(values, 'auto'))
      for (const method of ['minmax', 'percentile', 'entropy', 'mse'] as const) {
        expect(chosen).toBeLessThanOrEqual(1.2501 * error(distribution, rangeOf(values, method)))
      }
    }
  })
})

describe('rangesOf', () => {
  const methods = ['minmax', 'percentile', 'entropy', 'mse', 'auto'] as const

  it.each(methods)('%s keeps a constant tensor exactly', (method) => {
    for (const value of [0, 3.7, -2.5, 1e-38]) {
      const constant = Math.fround(value)
      const values = new Float32Array(100).fill(constant)
      expect(rangeOf(values, method)).toEqual({ min: constant, max: constant })
    }
  })

  it.each(methods)('%s gives a range within what was seen, whatever the values', (method) => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
          minLength: 1,
          maxLength: 60,
        }),
        (list) => {
          const values = Float32Array.from(list)
          const { min, max } = rangeOf(values, method)
          expect(min).toBeLessThanOrEqual(max)
          expect(min).toBeGreaterThanOrEqual(Math.min(...values))
          expect(max).toBeLessThanOrEqual(Math.max(...values))
        },
      ),
      { numRuns: 25 },
    )
  })

  it.each(methods)('%s leaves out a tensor without any finite value', (method) => {
    expect(rangesOf(statisticsOf(Float32Array.of(NaN, Infinity)), method).size).toBe(0)
  })

  it('averages the batches by the definition, the first of them as it is', () => {
    const statistics: CalibrationStatistics = {
      version: STATISTICS_VERSION,
      kind: 'moving_average',
      samples: 3,
      tensors: {
        a: {
          rank: 1,
          state: {
            range: { min: -4, max: 8 },
            nonFinite: 0,
            batches: [
              [0, 8],
              [-4, 4],
              [-2, 6],
            ],
          },
        },
      },
    }
    // −4·½ = −2, then −2 + ½·0; 8 → 6 → 6: neither the mean (6 → 6, −2) nor the extremes.
    const range = (movingAverageConstant: number) =>
      rangesOf(statistics, 'moving_average', { movingAverageConstant }).get('a')
    expect(range(0.5)).toEqual({ min: -2, max: 6 })
    expect(range(0.25)).toEqual({ min: -1.25, max: 6.75 })
    expect(range(1)).toEqual({ min: -2, max: 6 })
  })

  it('refuses statistics that do not hold what the method needs', () => {
    const histogram = statisticsOf(Float32Array.of(1, 2))
    expect(() => rangesOf(histogram, 'moving_average')).toThrow(/needs statistics of kind/)
    expect(() => rangesOf({ ...histogram, kind: 'minmax' }, 'mse')).toThrow(
      /needs statistics of kind/,
    )
  })

  it('refuses parameters out of range', () => {
    const statistics = statisticsOf(Float32Array.of(1, 2))
    for (const options of [
      { percentile: 100.1 },
      { percentile: NaN },
      { movingAverageConstant: 0 },
    ]) {
      expect(() => rangesOf(statistics, 'minmax', options)).toThrow(
        expect.objectContaining({ code: 'calibration_options_invalid' }) as Error,
      )
    }
  })

  it('hands the quantizer what it takes from minmax', () => {
    const statistics = statisticsOf(withOutlier(normals(100_000), 40))
    const { kind, tensors } = withRangesOf(statistics, 'mse')
    expect(kind).toBe('minmax')
    expect(tensors['a']).toEqual({
      rank: 1,
      state: { range: rangesOf(statistics, 'mse').get('a'), nonFinite: 0 },
    })
  })
})
