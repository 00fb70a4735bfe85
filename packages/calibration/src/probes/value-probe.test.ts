import { type Batches, type Feeds, toBatches } from '@pare/datasets'
import { model } from '@pare/graph/testing'
import type { InferenceRuntime } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrate, type CalibrateOptions } from '../calibrate.js'
import { compareStatistics } from '../compare-statistics.js'
import { readHistogram } from '../histogram-observer.js'
import { mergeStatistics } from '../merge-statistics.js'
import { rangesOf } from '../ranges-of.js'
import type { HistogramState } from '../statistics.js'

const runtime = onnxRuntime()
const points = ['x', 'h', 'r', 'c']

function network() {
  const random = createRandom(1)
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8])
    .floats(
      'w',
      [8, 16],
      Float32Array.from({ length: 128 }, () => random.normal()),
    )
    .floats('k', [3], [1, 2, 2])
    .node('MatMul', ['x', 'w'], ['h'])
    .node('Relu', ['h'], ['r'])
    .node('Neg', ['k'], ['c'])
    .node('Shape', ['r'], ['shape'])
    .output('r')
    .build()
}

function batch(rows: number, seed: number): Feeds {
  const random = createRandom(seed)
  const data = Float32Array.from({ length: rows * 8 }, () => random.normal())
  return { x: { dataType: 'float32', dims: [rows, 8], data } }
}

type Options = Partial<CalibrateOptions<'histogram'>>

function observe(feeds: readonly Feeds[], options: Options = {}) {
  return observeBatches(toBatches(feeds), options)
}

function observeBatches(batches: Batches, options: Options = {}) {
  return calibrate({ model: network(), points, runtime, batches, kind: 'histogram', ...options })
}

function totalOf(state: HistogramState): number {
  return readHistogram(state).counts.reduce((sum, n) => sum + n, 0)
}

/** Counts how often models ran, to show that a budget was kept to. */
function countingRuntime(): { readonly runtime: InferenceRuntime; readonly runs: () => number } {
  let runs = 0
  return {
    runs: () => runs,
    runtime: {
      ...runtime,
      createSession: async (...input) => {
        const session = await runtime.createSession(...input)
        return {
          ...session,
          run: (...feeds) => {
            runs++
            return session.run(...feeds)
          },
        }
      },
    },
  }
}

describe('calibrate with histograms', () => {
  const feeds = [batch(6, 1), batch(6, 2), batch(1, 3)]

  it('counts every value of every batch, the shorter last one too', async () => {
    const { samples, tensors } = await observe(feeds)
    expect(samples).toBe(13)
    expect(
      Object.fromEntries(Object.entries(tensors).map(([k, t]) => [k, totalOf(t.state)])),
    ).toEqual({ x: 13 * 8, h: 13 * 16, r: 13 * 16, c: 3 * 3 })
    const inputs = feeds.flatMap(({ x }) => Array.from(x!.data as Float32Array))
    expect(tensors['x']?.state.range).toEqual({
      min: Math.min(...inputs),
      max: Math.max(...inputs),
    })
  })

  it('loses nothing when the data comes in chunks, in whatever order they are merged', async () => {
    const parts = await Promise.all(feeds.map((one) => observe([one])))
    const whole = await observe(feeds)
    expect([parts[2]!, parts[0]!, parts[1]!].reduce(mergeStatistics)).toEqual(whole)
  })

  it('gives the same within any budget, in groups and in slices of tensors', async () => {
    const whole = await observe(feeds)
    for (const maxBytes of [1, 100, 6 * 16 * 4, 6 * 24 * 4]) {
      const counting = countingRuntime()
      expect(await observe(feeds, { maxBytes, runtime: counting.runtime })).toEqual(whole)
      expect(counting.runs()).toBeGreaterThan(1 + feeds.length)
    }
  })

  it('does not count rows that only fill up a batch', async () => {
    const filled = [
      { feeds: batch(6, 1), count: 6, rows: 6, offset: 0 },
      { feeds: batch(6, 3), count: 1, rows: 6, offset: 6 },
    ]
    const counted = await observeBatches(filled)
    const { samples, tensors } = counted
    expect(samples).toBe(7)
    expect(totalOf(tensors['h']!.state)).toBe(7 * 16)
    expect(await observeBatches(filled, { maxBytes: 40 })).toEqual(counted)
  })

  it('leaves out and counts infinite values and NaN', async () => {
    const { x } = batch(2, 4)
    const data = Float32Array.from(x!.data as Float32Array)
    data.set([Infinity, NaN, -Infinity], 3)
    const { tensors } = await observe([{ x: { ...x!, data } }], { points: ['x'] })
    const { range, nonFinite } = tensors['x']!.state
    const finite = [...data].filter((value) => Number.isFinite(value))
    expect(nonFinite).toBe(3)
    expect(range).toEqual({ min: Math.min(...finite), max: Math.max(...finite) })
    expect(totalOf(tensors['x']!.state)).toBe(13)
  })

  it('leaves out points that are not float32', async () => {
    const { tensors } = await observe(feeds, { points: ['r', 'shape'] })
    expect(Object.keys(tensors)).toEqual(['r'])
    const sliced = await observe(feeds, { points: ['r', 'shape'], maxBytes: 4 })
    expect(Object.keys(sliced.tensors)).toEqual(['r'])
  })

  it('serves every method from one run', async () => {
    const statistics = await observe(feeds)
    for (const method of ['minmax', 'percentile', 'entropy', 'mse', 'auto'] as const) {
      expect([...rangesOf(statistics, method).keys()]).toEqual(points)
    }
  })
})

describe('stopBelowDrift', () => {
  const many = Array.from({ length: 40 }, (_, i) => batch(32, i + 1))
  it('stops when doubling the samples changes little, and says how many it used', async () => {
    const constant = Array.from({ length: 40 }, () => many[0]!)
    for (const kind of ['minmax', 'histogram'] as const) {
      const { samples } = await calibrate({
        ...{ model: network(), points, runtime, batches: toBatches(constant) },
        kind,
        stopBelowDrift: 0.001,
      })
      expect(samples).toBe(128)
    }
  })

  it('goes on while the ranges grow', async () => {
    const growing = many.map(({ x }, i) => ({
      x: { ...x!, data: (x!.data as Float32Array).map((value) => value * (i + 1)) },
    }))
    const { samples } = await observe(growing, { stopBelowDrift: 0.01 })
    expect(samples).toBe(40 * 32)
  })
})

describe('moving average over batches', () => {
  it('depends on each batch and its place, unlike a mean of all or of the last chunk', async () => {
    const scaled = (factor: number): Feeds => ({
      x: { dataType: 'float32', dims: [1, 8], data: new Float32Array(8).fill(factor) },
    })
    const statistics = await calibrate({
      ...{ model: network(), points: ['x'], runtime, kind: 'moving_average' },
      batches: toBatches([scaled(1), scaled(2), scaled(4)]),
    })
    const { max } = rangesOf(statistics, 'moving_average', { movingAverageConstant: 0.5 }).get('x')!
    expect(max).toBe(2.75)
  })
})

describe('compareStatistics', () => {
  it('ranks tensors by how far the data moved', async () => {
    const a = await observe([batch(50, 1)])
    const shifted = batch(50, 2)['x']!
    const data = (shifted.data as Float32Array).map((value) => 2 * value + 3)
    const b = await observe([{ x: { ...shifted, data } }])
    const drifts = compareStatistics(a, b)
    expect(drifts.at(-1)).toMatchObject({ tensor: 'c', rangeDrift: 0, distributionDrift: 0 })
    const x = drifts.find(({ tensor }) => tensor === 'x')!
    // P(Z < z) − P(2Z + 3 < z) is greatest, 0.79, near z = 0.9.
    expect(x.distributionDrift).toBeGreaterThan(0.7)
    expect(x.rangeDrift).toBeGreaterThan(0.3)
    expect(compareStatistics(a, a).every((drift) => drift.distributionDrift === 0)).toBe(true)
  })
})
