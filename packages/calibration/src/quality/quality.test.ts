import { type Feeds, toBatches } from '@pare/datasets'
import { attr, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { calibrate } from '../calibrate.js'
import { findDeadChannels } from './dead-channels.js'
import { assessData } from './diagnose.js'
import { inputDrift, rangeDrift } from './drift.js'
import { firstLayerGain } from './expected-scale.js'
import { InputWatch } from './input-watch.js'
import { Moments } from './moments.js'
import { hashBytes } from './row-hash.js'

const runtime = onnxRuntime()
const CHANNELS = 3
const PIXELS = 16

/** A convolution over images; `gain` is the norm of its weights per channel. */
function network(gain = 1, bias = [0, 0]): Model {
  const random = createRandom(1)
  const weights = Float32Array.from({ length: 2 * CHANNELS }, () => random.normal())
  for (let i = 0; i < 2; i++) {
    const channel = weights.subarray(i * CHANNELS, (i + 1) * CHANNELS)
    const norm = Math.hypot(...channel)
    channel.forEach((w, j) => (channel[j] = (w / norm) * gain))
  }
  return model({ opset: 17 })
    .input('image', 'float32', ['n', CHANNELS, 4, 4])
    .floats('w', [2, CHANNELS, 1, 1], weights)
    .floats('b', [2], Float32Array.from(bias))
    .node('Conv', ['image', 'w', 'b'], ['h'])
    .node('Relu', ['h'], ['r'])
    .output('r')
    .build()
}

function images(rows: number, seed: number, change: (x: number) => number = (x) => x): Feeds {
  const random = createRandom(seed)
  const length = rows * CHANNELS * PIXELS
  const data = Float32Array.from({ length }, () => change(random.normal()))
  return { image: { dataType: 'float32', dims: [rows, CHANNELS, 4, 4], data } }
}

function rowsOf(feeds: Feeds, count?: number) {
  const rows = feeds['image']!.dims[0]!
  return { feeds, rows, count: count ?? rows }
}

async function assess(batches: readonly Feeds[], net = network()) {
  const inputs = new InputWatch()
  for (const feeds of batches) inputs.add(rowsOf(feeds))
  const statistics = await calibrate({
    model: net,
    points: ['image', 'r'],
    runtime,
    batches: toBatches(batches),
  })
  const quality = assessData({ model: net, inputs, statistics })
  return { ...quality, codes: quality.diagnostics.map(({ code }) => code) }
}

describe('the quality of calibration data', () => {
  it('has nothing to say about ordinary data, and sums it up', async () => {
    const { codes, samples, inputs } = await assess([images(20, 1), images(7, 2)])
    expect(codes).toEqual([])
    expect(samples).toBe(27)
    expect(inputs).toHaveLength(1)
    expect(inputs[0]).toMatchObject({ name: 'image', duplicates: 0, constant: false })
    expect(inputs[0]!.mean).toBeCloseTo(0, 1)
    expect(inputs[0]!.std).toBeCloseTo(1, 1)
  })

  it('sees that every sample is the same', async () => {
    const one = images(1, 1)['image']!.data as Float32Array
    const data = Float32Array.from({ length: 5 * one.length }, (_, i) => one[i % one.length]!)
    const feeds = { image: { dataType: 'float32', dims: [5, CHANNELS, 4, 4], data } } as const
    const { codes, inputs } = await assess([feeds])
    expect(codes).toContain('calibration_data_constant')
    expect(inputs[0]).toMatchObject({ constant: true, duplicates: 4 })
  })

  it('counts repeated samples over batches, not the rows that fill one up', async () => {
    const { diagnostics } = await assess([images(8, 1), images(8, 2), images(8, 1)])
    expect(diagnostics).toEqual([
      expect.objectContaining({
        ...{ code: 'calibration_data_duplicated', severity: 'warning', count: 8 },
        message: expect.stringContaining('8 of 24 samples (33.3 %)') as string,
      }),
    ])
    const padded = new InputWatch()
    padded.add(rowsOf(images(8, 1), 3))
    padded.add(rowsOf(images(8, 1), 3))
    expect(padded).toMatchObject({ samples: 6, duplicates: 3 })
  })

  it('does not take samples for repeated that share one of several inputs', () => {
    const mask = { dataType: 'int64', dims: [4, 2], data: new BigInt64Array(8).fill(1n) } as const
    const inputs = new InputWatch()
    inputs.add({ feeds: { ...images(4, 1), mask }, count: 4, rows: 4 })
    expect(inputs.duplicates).toBe(0)
    const [image, ones] = inputs.summaries()
    expect(image).toMatchObject({ duplicates: 0, constant: false })
    expect(ones).toMatchObject({ duplicates: 3, constant: true, min: 1, max: 1, mean: 1, std: 0 })
  })

  it('names pixels of 0 to 255 for a network that wants unit scale', async () => {
    const pixels = images(20, 1, (x) => Math.round(Math.min(255, Math.abs(x) * 100)))
    const { diagnostics } = await assess([pixels])
    expect(diagnostics[0]).toMatchObject({
      code: 'calibration_data_not_normalized',
      tensor: 'image',
      message: expect.stringContaining('pixels of 0 to 255') as string,
    })
  })

  it('accepts them for a network that learned from them, or normalises them itself', async () => {
    const pixels = images(20, 1, (x) => Math.round(Math.min(255, Math.abs(x) * 100)))
    expect((await assess([pixels], network(0.02))).codes).toEqual([])
    const own = model({ opset: 17 })
      .input('image', 'float32', ['n', CHANNELS, 4, 4])
      .floats('scale', [1], Float32Array.of(255))
      .floats('w', [2, CHANNELS, 1, 1], new Float32Array(2 * CHANNELS).fill(1))
      .node('Div', ['image', 'scale'], ['x'])
      .node('Conv', ['x', 'w'], ['r'])
      .output('r')
      .build()
    expect((await assess([pixels], own)).codes).toEqual([])
  })

  it('names channels that hold nothing, of either layout', async () => {
    const feeds = images(4, 1)
    const data = feeds['image']!.data as Float32Array
    for (let row = 0; row < 4; row++) data.fill(0, (row * 3 + 1) * PIXELS, (row * 3 + 2) * PIXELS)
    const { diagnostics } = await assess([feeds])
    expect(diagnostics[0]).toMatchObject({ code: 'calibration_channel_zero', count: 1 })
    expect(diagnostics[0]!.message).toContain('1 of 3 channels (1)')
    const last = new InputWatch()
    const values = Float32Array.from({ length: 96 }, (_, i) => (i % 3 === 2 ? 0 : i + 1))
    last.add({
      feeds: { x: { dataType: 'float32', dims: [2, 4, 4, 3], data: values } },
      count: 2,
      rows: 2,
    })
    expect(last.summaries()[0]!.zeroChannels).toEqual({ zero: [2], of: 3 })
  })

  it('reports infinite values and NaN with tensor and count', async () => {
    const feeds = images(4, 1)
    ;(feeds['image']!.data as Float32Array).set([NaN, Infinity], 5)
    const { diagnostics, inputs } = await assess([feeds])
    expect(diagnostics.find(({ tensor }) => tensor === 'image')).toMatchObject({
      ...{ code: 'calibration_non_finite', severity: 'warning', count: 2 },
    })
    expect(Number.isFinite(inputs[0]!.std)).toBe(true)
  })

  it('names a value inside the model that never changes', async () => {
    const { diagnostics } = await assess([images(4, 1)], network(1, [-1e6, -1e6]))
    expect(diagnostics).toEqual([
      expect.objectContaining({ code: 'calibration_dead_activations', tensor: 'r' }),
    ])
  })
})

describe('dead channels', () => {
  it('are one remark, the worst value first', () => {
    const inputs = new InputWatch()
    const statistics = { version: 1, kind: 'minmax', samples: 1, tensors: {} } as const
    const deadChannels = ['a', 'b', 'c', 'd'].map((tensor, i) => {
      return { tensor, dead: i + 1, of: 8, samples: 64 }
    })
    const { diagnostics } = assessData({ model: network(), inputs, statistics, deadChannels })
    expect(diagnostics).toHaveLength(1)
    expect(diagnostics[0]).toMatchObject({ severity: 'info', tensor: 'd', count: 10 })
    expect(diagnostics[0]!.message).toContain(
      '4 of 8 of d, 3 of 8 of c, 2 of 8 of b, and some of 1',
    )
  })
})

describe('findDeadChannels', () => {
  it.each([13, 17, 18])('finds the channel that never fires, with opset %d', async (opset) => {
    const net = { ...network(1, [0, -1e6]), opsetImports: [{ domain: '', version: opset }] }
    const options = {
      ...{ model: net, runtime, points: ['h', 'r'] },
      ranks: new Map([
        ['h', 4],
        ['r', 4],
      ]),
    }
    const batches = toBatches([images(4, 1), images(4, 2)])
    expect(await findDeadChannels({ ...options, batches })).toEqual([
      { tensor: 'r', dead: 1, of: 2, samples: 8 },
    ])
  })

  it('takes the last axis where there are no images', async () => {
    const net = model({ opset: 17 })
      .input('x', 'float32', ['n', 2])
      .floats('w', [2, 3], [1, 0, 1, 1, 0, 2])
      .node('MatMul', ['x', 'w'], ['y'])
      .node('Softmax', ['y'], ['z'], { axis: attr.int(-1) })
      .output('z')
      .build()
    const x = { dataType: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, -4) } as const
    const found = await findDeadChannels({
      ...{ model: net, runtime, points: ['y'], ranks: new Map([['y', 2]]) },
      batches: toBatches([{ x }]),
    })
    expect(found).toEqual([{ tensor: 'y', dead: 1, of: 3, samples: 2 }])
  })
})

describe('drift', () => {
  const summaries = (...batches: readonly Feeds[]) => {
    const watch = new InputWatch()
    for (const feeds of batches) watch.add(rowsOf(feeds))
    return watch.summaries()
  }
  const ranges = (feeds: Feeds) =>
    calibrate({ model: network(), points: ['h'], runtime, batches: toBatches([feeds]) })

  it('is silent about two parts of the same data', async () => {
    expect(inputDrift(summaries(images(50, 1)), summaries(images(50, 2)))).toEqual([])
    expect(rangeDrift(await ranges(images(50, 1)), await ranges(images(50, 2)))).toEqual([])
  })

  it.each([
    ['shifted', (x: number) => x + 1],
    ['of another spread', (x: number) => x * 2],
    ['constant', () => 0],
  ])('names inputs that are %s', (_, change) => {
    const found = inputDrift(summaries(images(50, 1)), summaries(images(50, 2, change)))
    expect(found).toEqual([expect.objectContaining({ code: 'calibration_drift', tensor: 'image' })])
  })

  it('names values inside the model that leave their calibrated range', async () => {
    const moved = images(50, 2, (x) => 4 * x)
    const [found] = rangeDrift(await ranges(images(50, 1)), await ranges(moved))
    expect(found).toMatchObject({ code: 'calibration_drift', tensor: 'h', count: 1 })
    // Data of a smaller range is served by the calibrated one.
    expect(rangeDrift(await ranges(moved), await ranges(images(50, 1)))).toEqual([])
  })
})

describe('the parts', () => {
  it('hash alike what is equal, and apart what differs in one bit', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 41 }),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (bytes, place, bit) => {
          const other = Uint8Array.from(bytes)
          expect(hashBytes(other)).toBe(hashBytes(bytes))
          other[place % bytes.length]! ^= 1 << bit
          expect(hashBytes(other)).not.toBe(hashBytes(bytes))
        },
      ),
    )
  })

  it('sum up like the definition, wherever the values lie', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 50 }),
        fc.constantFrom(0, 1e4),
        (list, offset) => {
          const values = Float64Array.from(list, (x) => x + offset)
          const moments = new Moments()
          moments.add(values.subarray(0, 3))
          moments.add(values.subarray(3))
          const mean = values.reduce((a, b) => a + b, 0) / values.length
          const variance = values.reduce((a, x) => a + (x - mean) ** 2, 0) / values.length
          expect(moments.mean).toBeCloseTo(mean, 6)
          expect(moments.std).toBeCloseTo(Math.sqrt(variance), 6)
          expect(moments.min).toBe(Math.min(...values) + 0)
        },
      ),
    )
  })

  it('measure the gain of the first layer, through what only moves values', () => {
    const gemm = model({ opset: 17 })
      .input('x', 'float32', ['n', 1, 2])
      .floats('w', [2, 2], [3, 4, 0, 5])
      .node('Flatten', ['x'], ['flat'])
      .node('Gemm', ['flat', 'w'], ['y'], { transB: attr.int(1) })
      .output('y')
      .build()
    expect(firstLayerGain(gemm, 'x')).toBeCloseTo(5)
    expect(firstLayerGain(network(0.5), 'image')).toBeCloseTo(0.5)
  })
})
