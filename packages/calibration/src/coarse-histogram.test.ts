import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { coarseHistogram } from './coarse-histogram.js'
import { Histogram } from './histogram.js'
import { writeHistogram } from './histogram-observer.js'

function stateOf(values: readonly number[]) {
  const histogram = new Histogram()
  histogram.add(Float32Array.from(values))
  return writeHistogram(histogram)
}

describe('coarseHistogram', () => {
  it('counts what lies in each bin of equal width, over the whole range', () => {
    const values = [-4, -3.5, -0.25, 0, 0, 0.25, 1.5, 3, 3.75, 4]
    expect(coarseHistogram(stateOf(values), 4)).toEqual({
      min: -4,
      max: 4,
      counts: [2, 1, 4, 3],
    })
  })

  it('counts every value, and each within a lattice bin of where it is', () => {
    const random = createRandom(5)
    const values = Array.from({ length: 5000 }, () => Math.fround(random.normal()))
    const found = coarseHistogram(stateOf(values), 32)!
    const width = (found.max - found.min) / 32
    const plain = new Array<number>(32).fill(0)
    for (const x of values) plain[Math.min(31, Math.floor((x - found.min) / width))]!++
    expect(found.counts.reduce((sum, n) => sum + n)).toBe(values.length)
    const moved = found.counts.reduce((sum, n, bin) => sum + Math.abs(n - plain[bin]!), 0)
    expect(moved).toBeLessThan(100)
  })

  it('has one bin for one value, and nothing to show where nothing finite was seen', () => {
    expect(coarseHistogram(stateOf([2, 2, 2]), 4)?.counts).toEqual([3, 0, 0, 0])
    expect(coarseHistogram(stateOf([NaN, Infinity]), 4)).toBeUndefined()
  })
})
