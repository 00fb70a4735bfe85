import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { bitsOfFloats, cutBelow, cutSmallest, fallingAt } from './select-smallest.js'

function fallen(parts: readonly Float32Array[], count: number): readonly number[] {
  const bits = parts.map(bitsOfFloats)
  const falling = fallingAt(cutSmallest(() => bits, count))
  return bits.flatMap((part) => [...falling(part)])
}

/** Sorting all of them, by magnitude and then by position. */
function fallenBySorting(values: readonly number[], count: number): readonly number[] {
  const order = values.map((_, i) => i).filter((i) => Number.isFinite(values[i]))
  order.sort((a, b) => Math.abs(values[a]!) - Math.abs(values[b]!) || a - b)
  const falls = new Set(order.slice(0, count))
  return values.map((_, i) => (falls.has(i) ? 1 : 0))
}

describe('cutSmallest', () => {
  it('selects what sorting selects, whatever the values and however they are divided', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = createRandom(seed)
      const size = 1 + Math.floor(random.uniform() * 300)
      // Few distinct values make ties; powers of ten reach denormal numbers.
      const values = Float32Array.from({ length: size }, () =>
        seed % 2 === 0
          ? Math.round(random.normal() * 3) / 8
          : random.normal() * 10 ** (random.uniform() * 80 - 45),
      )
      const middle = Math.floor(size / 3)
      const count = Math.floor(random.uniform() * (size + 1))
      const parts = [values.slice(0, middle), values.slice(middle)]
      expect(fallen(parts, count)).toEqual(fallenBySorting([...values], count))
    }
  })

  it('never selects infinities and NaN, even where more are asked for', () => {
    const values = Float32Array.of(NaN, 1, -Infinity, -2, Infinity, 0)
    expect(fallen([values], 6)).toEqual([0, 1, 0, 1, 0, 1])
    expect(fallen([values], 2)).toEqual([0, 1, 0, 0, 0, 1])
  })

  it('selects nothing of nothing', () => {
    expect(fallen([new Float32Array(0)], 0)).toEqual([])
    expect(fallen([Float32Array.of(1, 2)], 0)).toEqual([0, 0])
  })
})

describe('cutBelow', () => {
  const below = (threshold: number, ...values: number[]) => [
    ...fallingAt(cutBelow(threshold))(bitsOfFloats(Float32Array.from(values))),
  ]

  it('compares with the threshold as it is, not with its nearest float32', () => {
    const above = Math.fround(0.1)
    expect(above).toBeGreaterThan(0.1)
    expect(below(0.1, above, -above, 0.09)).toEqual([0, 0, 1])
    const less = Math.fround(0.7)
    expect(less).toBeLessThan(0.7)
    expect(below(0.7, less, -less, 0.71)).toEqual([1, 1, 0])
    expect(below(0.5, 0.5, -0.5, 0.25, NaN)).toEqual([0, 0, 1, 0])
    expect(below(0, 0, 1e-45)).toEqual([0, 0])
  })
})
