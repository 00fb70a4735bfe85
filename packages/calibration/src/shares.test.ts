// Distributions counted from a share of the values.
import { type Batches, type Feeds, toBatches } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom, tensorFromInts } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { calibrate, type CalibrateOptions } from './calibrate.js'
import { coarseHistogram } from './coarse-histogram.js'
import { compareStatistics } from './compare-statistics.js'
import { Histogram } from './histogram.js'
import { readHistogram, writeHistogram } from './histogram-observer.js'
import { mergeStatistics } from './merge-statistics.js'
import { parseStatistics } from './parse-statistics.js'
import { rangesOf } from './ranges-of.js'
import type { CalibrationStatistics, HistogramState } from './statistics.js'
import { phaseOf, strideOf } from './stride.js'

const runtime = onnxRuntime()
const WIDTH = 12
const SAMPLES = 40
const METHODS = ['minmax', 'percentile', 'entropy', 'mse', 'auto'] as const

/** Elementwise, so that its values do not depend on the batch size. */
function elementwise(opset = 17): Model {
  return model({ opset })
    .input('x', 'float32', ['n', 3, 'w'])
    .floats('k', [5], [1, 2, 3, 4, 5])
    .node('Neg', ['x'], ['y'])
    .node('Neg', ['k'], ['c'])
    .node('Shape', ['x'], ['s'])
    .output('y')
    .build()
}

function dataOf(samples: number, seed = 1): Float32Array {
  const random = createRandom(seed)
  return Float32Array.from({ length: samples * WIDTH }, () => random.normal())
}

function batchOf(data: Float32Array, from: number, to: number): Feeds {
  return {
    x: {
      dataType: 'float32',
      dims: [to - from, 3, WIDTH / 3],
      data: data.slice(from * WIDTH, to * WIDTH),
    },
  }
}

const data = dataOf(SAMPLES)

type Options = Partial<CalibrateOptions<'histogram'>>

function observe(feeds: readonly Feeds[], options: Options = {}) {
  return observeBatches(toBatches(feeds), options)
}

function observeBatches(batches: Batches, options: Options = {}) {
  const points = ['x', 'y', 'c']
  return calibrate({
    ...{ model: elementwise(), points, runtime, batches, kind: 'histogram' },
    ...{ samples: SAMPLES, countedValues: 100 },
    ...options,
  })
}

/** What the histogram of every `step`-th value of all data has to be. */
function expected(values: Float32Array, step: number): HistogramState {
  const finite = values.filter((value) => Number.isFinite(value))
  const histogram = new Histogram()
  histogram.add(values.filter((value, i) => i % step === 0 && Number.isFinite(value)))
  histogram.note({
    range: { min: Math.min(...finite), max: Math.max(...finite) },
    nonFinite: values.length - finite.length,
  })
  return writeHistogram(histogram)
}

function totalOf(state: HistogramState): number {
  return readHistogram(state).counts.reduce((sum, n) => sum + n, 0)
}

describe('strideOf', () => {
  it('is 1 where everything may be counted', () => {
    expect(strideOf(100, 0)).toBe(1)
    expect(strideOf(100, 1)).toBe(1)
  })

  it('shares no factor with a sample, so that every place is counted once in so many samples', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 1, max: 9, noNaN: true }),
        (size, least) => {
          const stride = strideOf(size, least)
          expect(stride).toBeGreaterThanOrEqual(least)
          const seen = new Array<number>(size).fill(0)
          for (let sample = 0; sample < stride; sample++) {
            for (let i = phaseOf(size, sample, stride); i < size; i += stride) seen[i]!++
          }
          expect(seen.every((times) => times === 1)).toBe(true)
        },
      ),
    )
  })
})

describe('histograms of a share of the values', () => {
  // 480 values, at most 100 of which are counted: every 5th.
  const whole = observe([batchOf(data, 0, SAMPLES)])

  it('count every k-th value of all data, and know the range of all', async () => {
    const { tensors } = await whole
    expect(tensors['x']?.state).toEqual(expected(data, 5))
    expect(totalOf(tensors['x']!.state)).toBe(96)
    expect(tensors['y']?.state.range).toEqual({ min: -Math.max(...data), max: -Math.min(...data) })
    expect(tensors['c']).toMatchObject({ rank: 1, state: { range: { min: -5, max: -1 } } })
  })

  it('count everything where the data is not more, or not known to be', async () => {
    const batches = [batchOf(data, 0, SAMPLES)]
    const all = expected(data, 1)
    expect((await observe(batches, { countedValues: 480 })).tensors['x']?.state).toEqual(all)
    const result = await calibrate({
      ...{
        model: elementwise(),
        points: ['x'],
        runtime,
        batches: toBatches(batches),
        kind: 'histogram',
      },
      countedValues: 100,
    })
    expect(result.tensors['x']?.state).toEqual(all)
  })

  it('are the same from any batches and any parts that are merged', async () => {
    const single = { points: ['x', 'y'] }
    const all = await observe([batchOf(data, 0, SAMPLES)], single)
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: SAMPLES - 1 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, fc.integer({ min: 0, max: 6 }), async (inner, split) => {
        const edges = [0, ...inner.sort((a, b) => a - b), SAMPLES]
        const batches = edges.slice(1).map((end, i) => ({ from: edges[i]!, end }))
        const first = batches.slice(0, Math.max(1, Math.min(split, batches.length)))
        const later = batches.slice(first.length)
        const of = (part: typeof batches) =>
          observe(
            part.map(({ from, end }) => batchOf(data, from, end)),
            { ...single, samplesBefore: part[0]!.from },
          )
        const parts = await Promise.all([first, later].filter(({ length }) => length > 0).map(of))
        expect(parts.reverse().reduce(mergeStatistics)).toEqual(all)
      }),
      { numRuns: 12 },
    )
  })

  it('are the same within any budget of memory', async () => {
    for (const maxBytes of [1, 60, 300]) {
      expect(await observe([batchOf(data, 0, SAMPLES)], { maxBytes })).toEqual(await whole)
    }
  })

  it('see infinite values and NaN wherever they stand', async () => {
    const bad = Float32Array.from(data)
    bad.set([Infinity, NaN, 100], 6)
    bad.set([-Infinity], 10)
    const batches = [batchOf(bad, 0, 3), batchOf(bad, 3, SAMPLES)]
    for (const maxBytes of [16, 2 ** 20]) {
      const { tensors } = await observe(batches, { maxBytes })
      expect(tensors['x']?.state).toEqual(expected(bad, 5))
      expect(tensors['x']?.state).toMatchObject({ nonFinite: 3, range: { max: 100 } })
      expect(totalOf(tensors['x']!.state)).toBe(95)
    }
  })

  it('leave out rows that only fill up a batch', async () => {
    const padded = batchOf(data, 29, 39)
    const last = Array.from({ length: 9 }, () => data.slice(39 * WIDTH)).flatMap((row) => [...row])
    const filled = Float32Array.from([...data.slice(39 * WIDTH), ...last])
    const batches = [
      { feeds: batchOf(data, 0, 29), count: 29, rows: 29, offset: 0 },
      { feeds: padded, count: 10, rows: 10, offset: 29 },
      { feeds: batchOf(filled, 0, 10), count: 1, rows: 10, offset: 39 },
    ]
    const points = ['x', 'y']
    const { tensors } = await whole
    expect((await observeBatches(batches, { points })).tensors).toEqual({
      x: tensors['x'],
      y: tensors['y'],
    })
  })

  it('take batches of any shape', async () => {
    const narrow = batchOf(data, 0, 20)
    const wide: Feeds = { x: { ...batchOf(data, 20, 40)['x']!, dims: [10, 3, 8] } }
    const { tensors } = await observe([narrow, wide], { samples: 30, countedValues: 72 })
    expect(totalOf(tensors['x']!.state)).toBe(96)
    expect(tensors['x']?.state.range).toEqual({ min: Math.min(...data), max: Math.max(...data) })
  })

  it('leave out values that are not float32', async () => {
    const { tensors } = await observe([batchOf(data, 0, SAMPLES)], { points: ['s', 'x'] })
    expect(Object.keys(tensors)).toEqual(['x'])
  })

  it('count the same in a model that says it takes any batch, but takes one', async () => {
    const fussy = model({ opset: 17 })
      .input('x', 'float32', ['n', 3, 'w'])
      .initializer('shape', tensorFromInts('int64', [2], [SAMPLES, WIDTH]))
      .node('Reshape', ['x', 'shape'], ['y'])
      .output('y')
      .build()
    const options = { model: fussy, points: ['x', 'y'] }
    const { tensors } = await observe([batchOf(data, 0, SAMPLES)], options)
    expect(tensors['x']?.state).toEqual(expected(data, 5))
    expect(tensors['y']?.state).toEqual(expected(data, 5))
  })

  it('count everything in models of old opsets, whose Slice has no step', async () => {
    const options = { model: elementwise(9), points: ['s', 'x'] }
    for (const maxBytes of [100, 2 ** 20]) {
      const { tensors } = await observe([batchOf(data, 0, SAMPLES)], { ...options, maxBytes })
      expect(tensors).toEqual({ x: { rank: 3, state: expected(data, 1) } })
    }
  })
})

describe('ranges from a share of the values', () => {
  it('hold all values where nothing may be cut off', async () => {
    const spiked = Float32Array.from(data)
    spiked.set([50, -70], 1)
    const statistics = await observe([batchOf(spiked, 0, SAMPLES)], { points: ['x'] })
    const all = { min: -70, max: 50 }
    expect(rangesOf(statistics, 'minmax').get('x')).toEqual(all)
    expect(rangesOf(statistics, 'percentile', { percentile: 100 }).get('x')).toEqual(all)
    expect(coarseHistogram(statistics.tensors['x']!.state, 4)).toMatchObject(all)
    // None of the others saw the spikes counted: they are noise to them.
    for (const method of ['entropy', 'mse'] as const) {
      const { min, max } = rangesOf(statistics, method).get('x')!
      expect(min).toBeGreaterThanOrEqual(-70)
      expect(max).toBeLessThanOrEqual(50)
      expect(max - min).toBeGreaterThan(1)
    }
  })

  it('are close to those from all values', async () => {
    const many = dataOf(20_000, 3)
    const batches = [batchOf(many, 0, 20_000)]
    const options = { points: ['x'], samples: 20_000 }
    const all = await observe(batches, { ...options, countedValues: Infinity })
    const share = await observe(batches, { ...options, countedValues: 60_000 })
    expect(totalOf(share.tensors['x']!.state)).toBe(48_000)
    for (const method of ['percentile', 'entropy', 'mse'] as const) {
      const [a, b] = [all, share].map((one) =>
        rangesOf(one, method, { percentile: 99.9 }).get('x')!,
      )
      expect(Math.abs(a!.max / b!.max - 1)).toBeLessThan(0.1)
      expect(Math.abs(a!.min / b!.min - 1)).toBeLessThan(0.1)
    }
  })

  it('are those of the extremes where nothing finite was counted', () => {
    const state: HistogramState = { range: { min: -2, max: 3 }, nonFinite: 1, counts: '' }
    const tensors = { x: { rank: 1, state } }
    const statistics: CalibrationStatistics = { version: 1, kind: 'histogram', samples: 1, tensors }
    expect(parseStatistics(JSON.parse(JSON.stringify(statistics)))).toEqual(statistics)
    for (const method of METHODS) {
      expect(rangesOf(statistics, method).get('x')).toEqual({ min: -2, max: 3 })
    }
    expect(coarseHistogram(state, 2)).toEqual({ min: -2, max: 3, counts: [0, 0] })
    const [drift] = compareStatistics(statistics, statistics)
    expect(drift).toMatchObject({ rangeDrift: 0 })
    expect(drift).not.toHaveProperty('distributionDrift')
  })
})
