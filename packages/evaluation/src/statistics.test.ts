import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { finishRatio, sumSamples } from './metrics/paired-ratio.js'
import {
  mcnemarExact,
  median,
  medianInterval,
  pairedDifferenceInterval,
  quantile,
  wilsonInterval,
} from './statistics.js'

/** P(X ≤ k) for X ~ B(n, ½), term by term. */
function binomialCdf(k: number, n: number): number {
  let sum = 0
  for (let i = 0; i <= k; i++) {
    let choose = 1
    for (let j = 1; j <= i; j++) choose *= (n - i + j) / j
    sum += choose * 2 ** -n
  }
  return sum
}

const numbers = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 })

describe('wilsonInterval', () => {
  it('gives the values of the literature', () => {
    // Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    const { low, high } = wilsonInterval(81, 263)
    expect(low).toBeCloseTo(0.2553, 4)
    expect(high).toBeCloseTo(0.3662, 4)
    expect(wilsonInterval(0, 20).high).toBeCloseTo(0.1611, 4)
    expect(wilsonInterval(0, 20).low).toBe(0)
  })

  it('stays inside 0 to 1 and contains the share', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (a, b) => {
        const total = a + b
        const { low, high } = wilsonInterval(a, total)
        expect(low).toBeGreaterThanOrEqual(0)
        expect(high).toBeLessThanOrEqual(1)
        if (total === 0) return
        expect(low).toBeLessThanOrEqual(a / total + 1e-12)
        expect(high).toBeGreaterThanOrEqual(a / total - 1e-12)
      }),
    )
  })
})

describe('mcnemarExact', () => {
  it('equals the binomial sum', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), (b, c) => {
        const expected = Math.min(1, 2 * binomialCdf(Math.min(b, c), b + c))
        expect(mcnemarExact(b, c)).toBeCloseTo(expected, 10)
      }),
    )
  })

  it('does not overflow on large counts', () => {
    expect(mcnemarExact(5000, 5000)).toBe(1)
    expect(mcnemarExact(4000, 6000)).toBeLessThan(1e-80)
    expect(mcnemarExact(0, 0)).toBe(1)
  })
})

describe('pairedDifferenceInterval', () => {
  it('is centred near the difference and shrinks with the samples', () => {
    const few = pairedDifferenceInterval(6, 2, 100)
    const many = pairedDifferenceInterval(600, 200, 10_000)
    expect(few.low).toBeLessThan(0.04)
    expect(few.high).toBeGreaterThan(0.04)
    expect(many.high - many.low).toBeLessThan((few.high - few.low) / 5)
  })

  it('is not a point when the models never differ', () => {
    const { low, high } = pairedDifferenceInterval(0, 0, 50)
    expect(high).toBeGreaterThan(0)
    expect(low).toBe(-high)
  })
})

describe('quantile and median', () => {
  it('give a value with the right share at or below it', () => {
    fc.assert(
      fc.property(numbers, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const value = quantile(values, share)
        expect(values).toContain(value)
        const below = values.filter((other) => other <= value).length
        expect(below / values.length).toBeGreaterThanOrEqual(share - 1e-9)
      }),
    )
  })

  it('take the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(quantile([5, 1, 4, 2, 3], 0.95)).toBe(5)
  })
})

describe('medianInterval', () => {
  it('covers 95 % by the binomial law, and the next narrower pair would not', () => {
    for (let n = 6; n < 60; n++) {
      const { low, high } = medianInterval(Array.from({ length: n }, (_, index) => index + 1))
      expect(low + high).toBe(n + 1)
      expect(2 * binomialCdf(low - 1, n)).toBeLessThanOrEqual(0.05)
      expect(2 * binomialCdf(low, n)).toBeGreaterThan(0.05)
    }
  })

  it('is the whole range of five values or fewer', () => {
    expect(medianInterval([3, 1, 2])).toEqual({ low: 1, high: 3 })
    expect(medianInterval([1])).toEqual({ low: 1, high: 1 })
  })
})

describe('the paired test of means', () => {
  /** Of samples with one element each: the ratio of sums is their mean. */
  const pairedMean = (values: readonly number[]) => {
    const found = finishRatio(
      sumSamples(values.map((x) => ({ original: 0, result: x, elements: 1 }))),
    )
    return { interval: found?.difference ?? null, p_value: found?.p_value ?? null }
  }

  // Student's own table of hours of sleep gained (Biometrika 6, 1908): t = 4.0621, 9 degrees.
  const sleep = [1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4]

  it('gives what the tables give', () => {
    const { interval, p_value: p } = pairedMean(sleep)
    expect(interval?.low).toBeCloseTo(0.7001, 3)
    expect(interval?.high).toBeCloseTo(2.4599, 3)
    // Wallace's expansion is within a few per cent of the probability.
    expect(p).toBeCloseTo(0.00283, 3)
  })

  it('is the same whichever model comes first', () => {
    const { interval, p_value: p } = pairedMean(sleep.map((x) => -x))
    expect(interval?.high).toBeCloseTo(-0.7001, 3)
    expect(p).toBe(pairedMean(sleep).p_value)
  })

  it('knows nothing from one sample, and everything from equal differences', () => {
    expect(pairedMean([1])).toEqual({ interval: null, p_value: null })
    expect(pairedMean([0, 0, 0])).toEqual({ interval: { low: 0, high: 0 }, p_value: 1 })
    expect(pairedMean([1, NaN, 2]).interval).toBeNull()
  })
})
