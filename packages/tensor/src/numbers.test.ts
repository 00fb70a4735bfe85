import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createRandom } from './random.js'
import { clamp, roundHalfToEven } from './rounding.js'
import { byteLengthOf, elementCount } from './shape.js'

describe('roundHalfToEven', () => {
  it('takes the even integer of a tie', () => {
    const ties = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    expect(ties.map(roundHalfToEven)).toEqual([-2, -2, -0, 0, 2, 2, 4])
    expect(roundHalfToEven(2 ** 51 + 0.5)).toBe(2 ** 51)
    expect(roundHalfToEven(2 ** 51 + 1.5)).toBe(2 ** 51 + 2)
  })

  it('takes the nearest integer otherwise', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e15, max: 1e15 }), (x) => {
        const rounded = roundHalfToEven(x)
        expect(Number.isInteger(rounded)).toBe(true)
        expect(Math.abs(rounded - x)).toBeLessThanOrEqual(0.5)
        if (Math.abs(rounded - x) === 0.5) expect(Math.abs(rounded % 2)).toBe(0)
      }),
    )
  })

  it('leaves what is not a finite number', () => {
    expect(roundHalfToEven(NaN)).toBeNaN()
    expect(roundHalfToEven(-Infinity)).toBe(-Infinity)
    expect(roundHalfToEven(1e300)).toBe(1e300)
    expect(clamp(5, -1, 3)).toBe(3)
    expect(clamp(NaN, -1, 3)).toBeNaN()
  })
})

describe('shapes', () => {
  it('count their elements', () => {
    expect(elementCount([])).toBe(1)
    expect(elementCount([2, 3])).toBe(6)
    expect(elementCount([2 ** 40, 0, 2 ** 40])).toBe(0)
    expect(byteLengthOf('int4', 3)).toBe(2)
    expect(byteLengthOf('float6e2m3', 5)).toBe(4)
  })

  it.each([[[-1]], [[1.5]], [[2 ** 40, 2 ** 40]], [[NaN]]])('refuse %j', (dims) => {
    expect(() => elementCount(dims)).toThrow(
      expect.objectContaining({ code: 'tensor_shape_invalid' }),
    )
  })
})

describe('createRandom', () => {
  it('repeats itself for a seed and differs for another', () => {
    const draw = (seed: number) => {
      const random = createRandom(seed)
      return Array.from({ length: 8 }, () => random.uint32())
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
    // Guards the stream itself: results of jobs depend on it.
    expect(draw(0).slice(0, 3)).toMatchInlineSnapshot(`
      [
        1789933344,
        44971166,
        2521387044,
      ]
    `)
  })

  it('draws uniform and normal numbers of the right mean and spread', () => {
    const random = createRandom(1)
    const moments = (draw: () => number) => {
      const xs = Float64Array.from({ length: 20_000 }, draw)
      const mean = xs.reduce((sum, x) => sum + x, 0) / xs.length
      return [mean, xs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / xs.length]
    }
    const [uniformMean, uniformVariance] = moments(random.uniform)
    expect(uniformMean).toBeCloseTo(1 / 2, 1)
    expect(uniformVariance).toBeCloseTo(1 / 12, 2)
    const [normalMean, normalVariance] = moments(random.normal)
    expect(normalMean).toBeCloseTo(0, 1)
    expect(normalVariance).toBeCloseTo(1, 1)
  })

  it('draws integers below a limit and permutations', () => {
    const random = createRandom(3)
    const seen = new Set(Array.from({ length: 200 }, () => random.below(5)))
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4])
    expect([...random.permutation(50)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    )
  })
})
