// Mistakes of onnxruntime's calibrators (1.30) that must not be repeated here, each through a run of a
// model; docs/quantization.md says what the methods do instead.
import { type Feeds, toBatches } from '@pare/datasets'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import type { CalibrationMethod } from '@pare/recipe'
import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrate } from './calibrate.js'
import { type RangeOptions, STATISTICS_OF_METHOD } from './methods.js'
import { rangesOf } from './ranges-of.js'

const runtime = onnxRuntime()
const METHODS = Object.keys(STATISTICS_OF_METHOD) as CalibrationMethod[]
const WIDTH = 64

const net = model({ opset: 17 })
  .input('x', 'float32', ['n', WIDTH])
  .node('Neg', ['x'], ['y'])
  .output('y')
  .build()

function batch(values: ArrayLike<number>): Feeds {
  const data = Float32Array.from(values)
  return { x: { dataType: 'float32', dims: [data.length / WIDTH, WIDTH], data } }
}

function normals(rows: number, seed: number, scale = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: rows * WIDTH }, () => random.normal() * scale)
}

async function rangeOf(
  method: CalibrationMethod,
  batches: readonly Feeds[],
  options: RangeOptions & { readonly maxBytes?: number } = {},
) {
  const { maxBytes, ...ranges } = options
  const statistics = await calibrate({
    ...{ model: net, points: ['y'], runtime, batches: toBatches(batches) },
    kind: STATISTICS_OF_METHOD[method],
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
  return rangesOf(statistics, method, ranges).get('y')!
}

describe('issue 9597: entropy with as many bins as levels has one candidate, the full range', () => {
  it('entropy with its defaults clips the outlier that minmax keeps', async () => {
    const values = normals(1000, 1)
    values[5] = -40
    const batches = [batch(values)]
    expect((await rangeOf('minmax', batches)).max).toBe(40)
    const { max } = await rangeOf('entropy', batches)
    expect(max).toBeGreaterThan(3)
    expect(max).toBeLessThan(8)
  })
})

describe('pull request 20226: batches before the last chunk are dropped', () => {
  /** The extremes are in the first two of ten batches. */
  const batches = Array.from({ length: 10 }, (_, i) => batch(normals(4, i, i < 2 ? 100 : 1)))
  const all = batches.flatMap(({ x }) => Array.from(x!.data as Float32Array, (value) => -value))

  it.each(['minmax', 'percentile', 'entropy', 'mse', 'auto'] as const)(
    '%s has seen every batch, whatever the budget',
    async (method) => {
      const options = { percentile: 100 }
      const whole = await rangeOf(method, batches, options)
      expect(await rangeOf(method, batches, { ...options, maxBytes: 300 })).toEqual(whole)
      expect(whole.max).toBeGreaterThan(50)
      if (method === 'minmax' || method === 'percentile') {
        expect(whole).toEqual({ min: Math.min(...all), max: Math.max(...all) })
      }
    },
  )
})

describe('moving average that is the mean of the batches, and for which its constant means nothing', () => {
  it('follows the definition: order and constant matter', async () => {
    const of = (...ends: readonly number[]) =>
      ends.map((end) => batch(Array.from({ length: WIDTH }, (_, i) => (i === 0 ? -end : end))))
    const upper = async (constant: number, ...ends: readonly number[]) =>
      (await rangeOf('moving_average', of(...ends), { movingAverageConstant: constant })).max
    // The first batch as it is, then each pulls by the constant.
    expect(await upper(0.5, 8, 4, 2)).toBe(8 * 0.25 + 4 * 0.25 + 2 * 0.5)
    expect(await upper(0.5, 2, 4, 8)).toBe(2 * 0.25 + 4 * 0.25 + 8 * 0.5)
    expect(await upper(0.25, 8, 4, 2)).toBe(8 * 0.5625 + 4 * 0.1875 + 2 * 0.25)
  })
})

describe('issue 18792: a last batch with fewer samples stops the calibrators that count', () => {
  it.each(METHODS)('%s takes it like any other', async (method) => {
    const values = normals(21, 3)
    const ragged = [batch(values.slice(0, 16 * WIDTH)), batch(values.slice(16 * WIDTH))]
    const range = await rangeOf(method, ragged)
    // Where the order of batches has no meaning, the same values in one batch give the same.
    if (method !== 'moving_average') expect(await rangeOf(method, [batch(values)])).toEqual(range)
    expect(range.max).toBeGreaterThan(range.min)
  })
})

describe('infinite values and NaN, which end a calibration or get into the range', () => {
  it.each(METHODS)('%s leaves them out and counts them', async (method) => {
    const values = normals(20, 4)
    const clean = await rangeOf(method, [batch(values)])
    // In place of values that no method cares for.
    const spoilt = Float32Array.from(values)
    const middle = [...values.keys()].filter((i) => Math.abs(values[i]!) < 0.01).slice(0, 3)
    expect(middle).toHaveLength(3)
    middle.forEach((at, i) => (spoilt[at] = [Infinity, -Infinity, NaN][i]!))
    const statistics = await calibrate({
      ...{ model: net, points: ['y'], runtime, batches: toBatches([batch(spoilt)]) },
      kind: STATISTICS_OF_METHOD[method],
    })
    expect(statistics.tensors['y']!.state.nonFinite).toBe(3)
    const { min, max } = rangesOf(statistics, method).get('y')!
    expect(min).toBeCloseTo(clean.min, 0)
    expect(max).toBeCloseTo(clean.max, 0)
  })
})
