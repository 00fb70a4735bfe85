import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { settledMean } from './bias-estimate.js'

function batch(samples: number, ...values: number[]) {
  return { samples, values: Float64Array.from(values) }
}

describe('settledMean', () => {
  it('weighs batches by their samples', () => {
    expect(Array.from(settledMean([batch(3, 2, 0), batch(1, 6, 8)]))).toEqual([3, 2])
  })

  it('keeps what all batches say, and drops what only chance says', () => {
    const same = [1, 2, 3, 4].map(() => batch(8, 0.5))
    expect(settledMean(same)[0]).toBe(0.5)
    const torn = [batch(8, 1), batch(8, -1), batch(8, 1.1), batch(8, -1)]
    expect(settledMean(torn)[0]).toBe(0)
  })

  it('is nearer to the truth than the plain mean, over many channels of noise', () => {
    const { normal } = createRandom(1)
    const truth = Array.from({ length: 2000 }, (_, i) => (i % 4 === 0 ? 1 : 0) * normal())
    const batches = Array.from({ length: 8 }, () => batch(16, ...truth.map((t) => t + normal())))
    const plain = truth.map((_, i) => batches.reduce((sum, { values }) => sum + values[i]!, 0) / 8)
    const settled = settledMean(batches)
    const error = (estimate: ArrayLike<number>) =>
      truth.reduce((sum, t, i) => sum + (t - estimate[i]!) ** 2, 0)
    expect(error(settled)).toBeLessThan(0.8 * error(plain))
  })

  it('knows nothing from nothing', () => {
    expect(settledMean([])).toHaveLength(0)
  })
})
