import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { channelLayout } from '../integers/channel-layout.js'
import { quantizeWeight, type WeightRange } from '../integers/quantize-weight.js'
import { roundingGrid } from './adaround-grid.js'

/** Weights of many kinds: wide and narrow channels, outliers, zeros, one sign only, equal peaks. */
function someWeights(seed: number): { readonly dims: number[]; readonly values: Float32Array } {
  const random = createRandom(seed)
  const dims = [1 + random.below(5), 1 + random.below(12), 1 + random.below(3)]
  const inner = dims[1]! * dims[2]!
  const values = new Float32Array(dims[0]! * inner)
  for (let channel = 0; channel < dims[0]!; channel++) {
    const kind = random.below(6)
    const size = 10 ** (random.below(9) - 6)
    for (let i = 0; i < inner; i++) {
      let value = random.normal() * size
      if (kind === 1 && i === 0) value *= 30
      if (kind === 2) value = Math.abs(value)
      if (kind === 3) value = random.below(3) === 0 ? 0 : Math.sign(value) * size
      if (kind === 4) value = 0
      values[channel * inner + i] = value
    }
  }
  return { dims, values }
}

const CHOICES: readonly (readonly [WeightRange, number | undefined])[] = [
  ['full', 0],
  ['full', undefined],
  ['reduced', 0],
  ['reduced', undefined],
  ['pairwise', 0],
  ['pairwise', undefined],
  ['pairwise', 1],
]

describe('roundingGrid', () => {
  it.each(CHOICES)(
    'writes any choice of integers so that quantizing again gives them, %s range, axis %s',
    (range, axis) => {
      for (let seed = 0; seed < 400; seed++) {
        const { dims, values } = someWeights(seed)
        const { uniform } = createRandom(seed + 1000)
        const { data, scales } = quantizeWeight(values, dims, { axis, range })
        const layout = channelLayout(dims, axis)
        const grid = roundingGrid({ values, data, scales, layout, range })
        const upper = grid.nearest.map((up, i) =>
          grid.free[i] === 1 ? (uniform() < 0.5 ? 0 : 1) : up,
        )
        const again = quantizeWeight(grid.write(upper), dims, { axis, range })
        expect(again.scales).toEqual(scales)
        const chosen = Array.from(upper, (up, i) =>
          grid.free[i] === 1 ? grid.low[i]! + up : data[i]!,
        )
        expect(Array.from(again.data)).toEqual(chosen)
        if (range !== 'full') expect(again.riskyChannels).toBe(0)
      }
    },
  )

  it('holds for every weight going up and every weight going down, the worst for the limits', () => {
    for (const [range, axis] of CHOICES) {
      for (let seed = 0; seed < 200; seed++) {
        const { dims, values } = someWeights(seed)
        const { data, scales } = quantizeWeight(values, dims, { axis, range })
        const layout = channelLayout(dims, axis)
        const grid = roundingGrid({ values, data, scales, layout, range })
        for (const away of [0, 1]) {
          const upper = grid.low.map((low, i) => {
            const isPositive = low >= 0
            return grid.free[i] === 1 ? (isPositive ? away : 1 - away) : grid.nearest[i]!
          })
          const again = quantizeWeight(grid.write(Uint8Array.from(upper)), dims, { axis, range })
          expect(again.scales).toEqual(scales)
        }
      }
    }
  })

  it('leaves nearly every weight free, and never the greatest of a channel', () => {
    const { normal } = createRandom(1)
    const values = Float32Array.from({ length: 16 * 144 }, normal)
    const dims = [16, 144]
    for (const range of ['full', 'reduced', 'pairwise'] as const) {
      const { data, scales } = quantizeWeight(values, dims, { axis: 0, range })
      const layout = channelLayout(dims, 0)
      const { free } = roundingGrid({ values, data, scales, layout, range })
      const count = free.reduce((sum, one) => sum + one, 0)
      expect(count).toBeGreaterThan(0.97 * values.length)
      for (let channel = 0; channel < 16; channel++) {
        const row = values.subarray(channel * 144, (channel + 1) * 144).map(Math.abs)
        expect(free[channel * 144 + row.indexOf(Math.max(...row))]).toBe(0)
      }
    }
  })
})
