import { type Feeds, toBatches } from '@pare/datasets'
import { type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrate } from './calibrate.js'
import { mergeStatistics } from './merge-statistics.js'
import { parseStatistics } from './parse-statistics.js'

const runtime = onnxRuntime()

function twoLayers(): Model {
  const random = createRandom(1)
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8])
    .floats(
      'w',
      [8, 16],
      Float32Array.from({ length: 128 }, () => random.normal()),
    )
    .node('MatMul', ['x', 'w'], ['h'])
    .node('Relu', ['h'], ['r'])
    .node('Shape', ['r'], ['shape'])
    .output('r')
    .build()
}

function batch(rows: number, seed: number): Feeds {
  const random = createRandom(seed)
  const data = Float32Array.from({ length: rows * 8 }, () => random.normal())
  return { x: { dataType: 'float32', dims: [rows, 8], data } }
}

const points = ['x', 'h', 'r']

describe('calibrate', () => {
  it('finds least and greatest value of each point over all batches', async () => {
    const feeds = [batch(4, 1), batch(4, 2), batch(3, 3)]
    const { tensors, samples } = await calibrate({
      model: twoLayers(),
      points,
      runtime,
      batches: toBatches(feeds),
    })
    const inputs = feeds.flatMap(({ x }) => Array.from(x!.data as Float32Array))
    expect(samples).toBe(11)
    expect(tensors['x']).toEqual({
      rank: 2,
      state: { range: { min: Math.min(...inputs), max: Math.max(...inputs) }, nonFinite: 0 },
    })
    expect(tensors['r']?.state.range?.min).toBe(0)
    expect(tensors['r']?.state.range?.max).toBe(tensors['h']?.state.range?.max)
  })

  it('gives bit for bit the same from chunks that are merged, in any order', async () => {
    const feeds = [1, 2, 3, 4, 5].map((seed) => batch(seed === 5 ? 1 : 6, seed))
    const of = (batches: readonly Feeds[]) =>
      calibrate({ model: twoLayers(), points, runtime, batches: toBatches(batches) })
    const whole = await of(feeds)
    const parts = await Promise.all([
      of(feeds.slice(3)),
      of(feeds.slice(0, 2)),
      of(feeds.slice(2, 3)),
    ])
    expect(parts.reduce(mergeStatistics)).toEqual(whole)
  })

  it('survives JSON exactly', async () => {
    const statistics = await calibrate({
      model: twoLayers(),
      points,
      runtime,
      batches: toBatches([batch(5, 7)]),
    })
    expect(parseStatistics(JSON.parse(JSON.stringify(statistics)))).toEqual(statistics)
  })

  it('counts infinite values and NaN of a suspicious batch and leaves them out', async () => {
    const { x } = batch(2, 4)
    const data = Float32Array.from(x!.data as Float32Array)
    data[3] = Infinity
    data[5] = NaN
    const bad = { x: { ...x!, data } }
    const { tensors } = await calibrate({
      model: twoLayers(),
      points: ['x'],
      runtime,
      batches: toBatches([bad]),
    })
    const finite = [...data].filter((value) => Number.isFinite(value))
    expect(tensors['x']?.state).toEqual({
      range: { min: Math.min(...finite), max: Math.max(...finite) },
      nonFinite: 2,
    })
  })

  it('sees a NaN wherever it stands, although reductions skip it', async () => {
    for (const at of [0, 7, 15]) {
      const { x } = batch(2, 4)
      const data = Float32Array.from(x!.data as Float32Array)
      data[at] = NaN
      const { tensors } = await calibrate({
        ...{ model: twoLayers(), points: ['x', 'h'], runtime },
        batches: toBatches([batch(2, 5), { x: { ...x!, data } }]),
      })
      // One NaN in a row makes all 16 sums of the row NaN.
      expect(tensors['x']?.state.nonFinite).toBe(1)
      expect(tensors['h']?.state.nonFinite).toBe(16)
      expect(tensors['h']?.state.range?.max).toBeLessThan(Infinity)
    }
  })

  it('takes a sum beyond float32 for what it is, not for an infinite value', async () => {
    const data = new Float32Array(16).fill(3e38)
    const { tensors } = await calibrate({
      ...{ model: twoLayers(), points: ['x'], runtime },
      batches: toBatches([{ x: { dataType: 'float32', dims: [2, 8], data } }]),
    })
    const max = Math.fround(3e38)
    expect(tensors['x']?.state).toEqual({ range: { min: max, max }, nonFinite: 0 })
  })

  it('keeps a tensor without any finite value, without a range', async () => {
    const data = new Float32Array(8).fill(Infinity)
    const { tensors } = await calibrate({
      model: twoLayers(),
      points: ['x'],
      runtime,
      batches: toBatches([{ x: { dataType: 'float32', dims: [1, 8], data } }]),
    })
    expect(tensors['x']?.state).toEqual({ nonFinite: 8 })
  })

  it('leaves out points that are not float32', async () => {
    const { tensors } = await calibrate({
      model: twoLayers(),
      points: ['r', 'shape'],
      runtime,
      batches: toBatches([batch(2, 1)]),
    })
    expect(Object.keys(tensors)).toEqual(['r'])
  })

  it('reports progress by samples and stops when it is told to', async () => {
    const seen: number[] = []
    const controller = new AbortController()
    const run = calibrate({
      model: twoLayers(),
      points,
      runtime,
      batches: toBatches([batch(2, 1), batch(2, 2), batch(2, 3)]),
      onProgress: ({ samples }) => {
        seen.push(samples)
        if (samples === 4) controller.abort(new Error('enough'))
      },
      signal: controller.signal,
    })
    await expect(run).rejects.toThrow('enough')
    expect(seen).toEqual([2, 4])
  })

  it('refuses to calibrate on nothing', async () => {
    await expect(
      calibrate({ model: twoLayers(), points, runtime, batches: [] }),
    ).rejects.toMatchObject({ code: 'calibration_data_empty' })
  })
})
