import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { bitsOfFloats } from './select-smallest.js'
import { spreadAdaptively } from './spread-adaptively.js'

function spread(layers: readonly Float32Array[], count: number): readonly number[] {
  return spreadAdaptively(layers.map(bitsOfFloats), count)
}

/** The formula, weight by weight. */
function spreadBySorting(layers: readonly Float32Array[], count: number): readonly number[] {
  const scores = layers.flatMap((values, layer) => {
    const rising = values.map(Math.abs).sort()
    let atLeast = 0
    return [...rising].reverse().map((value) => {
      atLeast += value ** 2
      return { layer, score: value === 0 ? 0 : value ** 2 / atLeast }
    })
  })
  const fallen = scores.sort((a, b) => a.score - b.score).slice(0, count)
  return layers.map((_, i) => fallen.filter(({ layer }) => layer === i).length)
}

describe('spreadAdaptively', () => {
  it('spreads as the scores of single weights do, but for those that are about alike', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(seed)
      const layers = [40, 700, 2000].map((size, i) =>
        Float32Array.from({ length: size }, () => random.normal() * 10 ** (2 - i)),
      )
      const count = random.below(2740)
      const [actual, expected] = [spread(layers, count), spreadBySorting(layers, count)]
      expect(actual.reduce((sum, n) => sum + n, 0)).toBe(count)
      for (const [i, n] of actual.entries()) {
        expect(Math.abs(n - expected[i]!)).toBeLessThanOrEqual(1 + 0.01 * layers[i]!.length)
      }
    }
  })

  it('takes zeros first, never infinities and NaN, and empties no layer before it must', () => {
    const layers = [
      Float32Array.of(0, -0, 5, NaN),
      Float32Array.of(1e-30, 2e-30, 0, Infinity),
      new Float32Array(3),
    ]
    expect(spread(layers, 6)).toEqual([2, 1, 3])
    expect(spread(layers, 7)).toEqual([2, 2, 3])
    expect(spread(layers, 11)).toEqual([3, 3, 3])
    expect(spread(layers, 0)).toEqual([0, 0, 0])
  })
})
