import { attr } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { randomValues, runModel } from '../testing.js'
import { quantizeBias, quantizeWeight } from './quantize-weight.js'
import { MAX_PAIR_SUM } from './saturation.js'

const full = { range: 'full' } as const

/** Whether any two integers of one sign do. */
function saturates(integers: Int8Array): boolean {
  return integers.some((a, i) =>
    integers.some((b, j) => i < j && a * b > 0 && Math.abs(a + b) > MAX_PAIR_SUM),
  )
}

describe('quantizeWeight', () => {
  it('gives each channel its own scale along any axis', () => {
    const values = Float32Array.of(1, 20, -2, 10, 0.5, -40)
    expect(Array.from(quantizeWeight(values, [3, 2], { ...full, axis: 1 }).scales)).toEqual(
      [2 / 127, 40 / 127].map(Math.fround),
    )
    expect(Array.from(quantizeWeight(values, [3, 2], { ...full, axis: 0 }).scales)).toEqual(
      [20 / 127, 10 / 127, 40 / 127].map(Math.fround),
    )
    expect(quantizeWeight(values, [3, 2], full).scales).toHaveLength(1)
  })

  it('rounds half to even', () => {
    const values = Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5)
    expect(Array.from(quantizeWeight(values, [6], full).data)).toEqual([127, 0, 2, 2, 0, -2])
  })

  it('computes what QuantizeLinear computes, bit for bit', async () => {
    const dims = [16, 9, 5]
    const values = randomValues(720, 3)
    const { data, scales } = quantizeWeight(values, dims, { ...full, axis: 0 })
    const reference = model()
      .input('x', 'float32', dims)
      .initializer('scale', tensorFromFloat32([16], scales))
      .initializer('zero', tensorFromInts('int8', [16], new Int8Array(16)))
      .node('QuantizeLinear', ['x', 'scale', 'zero'], ['q'], { axis: attr.int(0) })
      .output('q', 'int8')
      .build()
    const { q } = await runModel(reference, { x: { dataType: 'float32', dims, data: values } })
    expect(data).toEqual(q!.data)
  })

  it('uses 64 steps at most with the reduced range', () => {
    const { data } = quantizeWeight(randomValues(500, 4), [5, 100], { range: 'reduced', axis: 0 })
    expect(Math.max(...data.map(Math.abs))).toBe(64)
  })

  it('counts the channels in which two integers of one sign exceed the sum that saturates', () => {
    const weights = fc.array(fc.float({ min: -2, max: 2 }), { minLength: 12, maxLength: 48 })
    const ranges = fc.constantFrom('full', 'reduced', 'pairwise')
    fc.assert(
      fc.property(weights, ranges, fc.constantFrom(0, 1), (list, range, axis) => {
        const columns = Math.floor(list.length / 4)
        const values = Float32Array.from(list.slice(0, 4 * columns))
        const { data, riskyChannels } = quantizeWeight(values, [4, columns], { range, axis })
        const channels = Array.from({ length: axis === 0 ? 4 : columns }, (_, channel) =>
          data.filter(
            (_value, i) => (axis === 0 ? Math.floor(i / columns) : i % columns) === channel,
          ),
        )
        expect(riskyChannels).toBe(channels.filter(saturates).length)
      }),
    )
  })

  describe('with the range `pairwise`', () => {
    const pairwise = (values: ArrayLike<number>) =>
      quantizeWeight(values, [1, values.length], { range: 'pairwise', axis: 0 })
    const expectSafe = (values: ArrayLike<number>) => {
      const { data, riskyChannels } = pairwise(values)
      for (const sign of [1, -1]) {
        const [first = 0, second = 0] = [...data].map((q) => q * sign).sort((a, b) => b - a)
        expect(Math.max(first, 0) + Math.max(second, 0)).toBeLessThanOrEqual(MAX_PAIR_SUM)
      }
      expect(riskyChannels).toBe(0)
    }

    it.each([
      ['float32', fc.float({ min: -10, max: 10, noNaN: true })],
      ['float64', fc.double({ min: -10, max: 10, noNaN: true })],
      ['extreme', fc.double({ min: -3e38, max: 3e38, noNaN: true })],
    ])('lets no two %s weights of one sign exceed the sum that saturates', (_kind, weight) => {
      const weights = fc.array(weight, { minLength: 2, maxLength: 40 })
      fc.assert(fc.property(weights, expectSafe), { numRuns: 500 })
    })

    it('holds it where both quotients lie halfway between two integers', () => {
      // Both are rounded up there by a float32 rounding of the scale or of the quotients.
      expectSafe([0.15768958628177643, 0.1504671722650528])
      const halfway = fc.tuple(
        fc.integer({ min: 64, max: 126 }),
        fc.double({ min: 1e-6, max: 1e3, noNaN: true }),
        fc.integer({ min: -4, max: 4 }),
      )
      fc.assert(
        fc.property(halfway, fc.boolean(), ([steps, scale, ulps], isFloat32) => {
          const nudge = 1 + ulps * 2 ** -24
          const values = [(steps + 0.5) * scale, (127.5 - steps) * scale * nudge]
          expectSafe(isFloat32 ? Float32Array.from(values) : values)
        }),
        { numRuns: 5000 },
      )
    })

    it('takes a larger scale only as far as it must', () => {
      const values = Float32Array.of(0.15768958628177643, 0.1504671722650528)
      const exact = (values[0]! + values[1]!) / MAX_PAIR_SUM
      const [scale = 0] = pairwise(values).scales
      expect(scale).toBeGreaterThanOrEqual(Math.fround(exact))
      expect(scale / exact - 1).toBeLessThan(4 * 2 ** -23)
    })
  })

  it('keeps all bits of a channel whose greatest weight stands alone', () => {
    const values = Float32Array.of(1, 0.005, -1, -0.005)
    const pairwise = quantizeWeight(values, [4], { range: 'pairwise' })
    expect(pairwise).toEqual(quantizeWeight(values, [4], full))
  })

  it('costs a channel of equal weights one bit, no more', () => {
    const { data } = quantizeWeight(Float32Array.of(1, 1, -1, 1), [4], { range: 'pairwise' })
    expect(Array.from(data)).toEqual([64, 64, -64, 64])
  })

  it('counts the channels in which a kernel of 16-bit sums may saturate', () => {
    const values = Float32Array.of(1, 1, 1, -1, 1, 0)
    expect(quantizeWeight(values, [3, 2], { ...full, axis: 0 }).riskyChannels).toBe(1)
  })
})

describe('quantizeBias', () => {
  it('counts in units of input scale times weight scale', () => {
    const bias = quantizeBias(Float32Array.of(1, -1), 0.5, Float32Array.of(0.25, 0.5))
    expect(bias).toEqual({ data: Int32Array.of(8, -4), scales: Float32Array.of(0.125, 0.25) })
  })

  it('refuses what does not fit into int32', () => {
    expect(quantizeBias(Float32Array.of(1), 1e-5, Float32Array.of(1e-5))).toBeUndefined()
    expect(quantizeBias(Float32Array.of(NaN), 1, Float32Array.of(1))).toBeUndefined()
  })
})
