import type { Feeds } from '@pare/datasets'
import { attr, checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom, type RuntimeTensor, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { sourceOf } from '../layers/testing.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import { quantizeStatic } from '../static/quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { correctBias, type CorrectBiasOptions } from './bias-correction.js'

const runtime = onnxRuntime()

/** One scale for all channels: an outlier makes it coarse for every other weight. */
const COARSE = { perChannel: false, isa: 'vnni' } as const

/** Weights just above the middle between two steps of 40 / 127: all but one are rounded up. */
function risingWeights(count: number, seed: number): Float32Array {
  const { uniform } = createRandom(seed)
  const step = 40 / 127
  const values = Float32Array.from({ length: count }, () => {
    const low = Math.floor(uniform() * 3) - 1
    return (low + 0.52 + 0.1 * uniform()) * step
  })
  values[count - 1] = 40
  return values
}

/** What follows a Relu: positive, so that errors of one sign do not cancel out. */
function positive(dims: readonly number[], seed: number): RuntimeTensor {
  const tensor = randomTensor(dims, seed)
  return { ...tensor, data: (tensor.data as Float32Array).map(Math.abs) }
}

async function correct(
  built: Model,
  batches: readonly Feeds[],
  choice: Partial<CorrectBiasOptions> & { readonly options?: QuantizeStaticOptions } = {},
) {
  const { options = COARSE, ...rest } = choice
  const statistics = await calibrated(built, batches, options)
  const quantized = quantizeStatic(built, statistics, options)
  const source = sourceOf(runtime, batches)
  const result = await correctBias({ model: built, quantized, source, ...rest })
  const corrected = quantizeStatic(result.model, statistics, options)
  checkModel(result.model)
  return { ...result, quantized, corrected }
}

/** SQNR of an output before and after the correction. */
async function gain(
  built: Model,
  feeds: Feeds,
  { quantized, corrected }: Awaited<ReturnType<typeof correct>>,
): Promise<readonly [number, number]> {
  const [float, before, after] = [
    await runModel(built, feeds),
    await runModel(quantized.model, feeds),
    await runModel(corrected.model, feeds),
  ]
  return [sqnr(float['y']!, before['y']!), sqnr(float['y']!, after['y']!)]
}

/** Mean of y(float) − y(quantized) per channel, axis 1. */
async function meanErrors(built: Model, other: Model, feeds: Feeds): Promise<readonly number[]> {
  const [x, y] = [(await runModel(built, feeds))['y']!, (await runModel(other, feeds))['y']!]
  const [, channels = 1, ...positions] = x.dims
  const inner = positions.reduce((product, size) => product * size, 1)
  const sums = new Array<number>(channels).fill(0)
  for (let i = 0; i < x.data.length; i++) {
    sums[Math.floor(i / inner) % channels]! += Number(x.data[i]) - Number(y.data[i])
  }
  return sums.map((sum) => (sum * channels) / x.data.length)
}

function greatest(values: readonly number[]): number {
  return Math.max(...values.map(Math.abs))
}

/** Conv → Relu → depthwise Conv → Clip → pointwise Conv, as in MobileNet, all rounded upwards. */
function mobileNet(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [16, 8, 3, 3], risingWeights(1152, 1))
    .floats('w2', [16, 1, 3, 3], risingWeights(144, 2))
    .floats('b2', [16], randomValues(16, 3))
    .floats('w3', [12, 16, 1, 1], risingWeights(192, 4))
    .floats('b3', [12], randomValues(12, 5))
    .floats('zero', [], [0])
    .floats('six', [], [600])
    .node('Conv', ['x', 'w1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2', 'b2'], ['c2'], { group: 16, strides: [2, 2], pads: [1, 1, 1, 1] })
    .node('Clip', ['c2', 'zero', 'six'], ['r2'])
    .node('Conv', ['r2', 'w3', 'b3'], ['y'])
    .output('y')
    .build()
}

const images = [1, 2, 3, 4].map((seed) => ({ x: positive([6, 8, 8, 8], seed) }))

describe('correctBias', () => {
  it.each(['fast', 'full'] as const)(
    'takes back what rounding in one direction adds, through depthwise layers and clamps, %s',
    async (method) => {
      const built = mobileNet()
      const result = await correct(built, images, { method })
      const unseen = { x: positive([8, 8, 8, 8], 99) }
      const [before, after] = await gain(built, unseen, result)
      expect(after).toBeGreaterThan(before + 6)
      expect(result.corrections.map(({ output }) => output)).toEqual(['c1', 'c2', 'y'])
      expect(result.diagnostics).toEqual([])
    },
  )

  it.each(['fast', 'full'] as const)(
    'leaves no mean error per channel behind one layer, %s',
    async (method) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 64])
        .floats('w', [16, 64], risingWeights(1024, 1))
        .node('Gemm', ['x', 'w'], ['y'], { transB: 1, alpha: attr.float(0.5) })
        .output('y')
        .build()
      const feeds = { x: positive([200, 64], 1) }
      const { quantized, corrected } = await correct(built, [feeds], { method, samples: 200 })
      const [before, after] = [
        await meanErrors(built, quantized.model, feeds),
        await meanErrors(built, corrected.model, feeds),
      ]
      expect(greatest(before)).toBeGreaterThan(0.5)
      expect(greatest(after)).toBeLessThan(0.01)
    },
  )

  it.each([
    { weightType: 'uint8', perChannel: false },
    { activationType: 'int8', perChannel: false },
    { activationType: 'uint16', weightType: 'int8', perChannel: false },
    { blockSize: 16, perChannel: false },
    { format: 'QOperator', perChannel: false },
  ] as const satisfies readonly QuantizeStaticOptions[])(
    'reads and corrects integers of every kind, with %o',
    async (options) => {
      const built = model({ opset: 21 })
        .input('x', 'float32', ['n', 64])
        .floats('w', [64, 32], randomValues(2048, 1).with(5, 30))
        .floats('b', [32], randomValues(32, 2))
        .node('Gemm', ['x', 'w', 'b'], ['y'])
        .output('y')
        .build()
      const feeds = { x: positive([200, 64], 1) }
      for (const method of ['fast', 'full'] as const) {
        const { corrections, quantized, corrected } = await correct(built, [feeds], {
          ...{ options, method, samples: 200 },
        })
        expect(corrections).toHaveLength(1)
        const [before, after] = [
          await meanErrors(built, quantized.model, feeds),
          await meanErrors(built, corrected.model, feeds),
        ]
        expect(greatest(after)).toBeLessThan(0.1 * greatest(before))
      }
    },
  )

  it('leaves none behind many layers when it looks at what is quantized before them', async () => {
    const built = mobileNet()
    const { quantized, corrected } = await correct(built, images, { method: 'full' })
    // The last channel is left out: its outlier reaches the end of the output's range.
    const errorOf = async ({ model: other }: { readonly model: Model }) => {
      const errors = await Promise.all(images.map((feeds) => meanErrors(built, other, feeds)))
      const means = errors[0]!.map((_, i) => errors.reduce((sum, row) => sum + row[i]!, 0) / 4)
      return greatest(means.slice(0, -1))
    }
    const step = quantized.layers.at(-1)!.outputValue!.scale
    expect(await errorOf(quantized)).toBeGreaterThan(1.5 * step)
    expect(await errorOf(corrected)).toBeLessThan(0.25 * step)
  })

  it.each(['fast', 'full'] as const)(
    'finds the bias of a MatMul in the Add behind it, and says where there is none, %s',
    async (method) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 't', 16])
        .floats('w1', [16, 24], risingWeights(384, 1))
        .floats('b1', [24], randomValues(24, 2))
        .floats('w2', [24, 24], risingWeights(576, 3))
        .floats('b2', [1], [0.5])
        .floats('w3', [24, 8], randomValues(192, 4))
        .node('MatMul', ['x', 'w1'], ['m1'])
        .node('Add', ['b1', 'm1'], ['a1'])
        .node('Relu', ['a1'], ['r1'])
        .node('MatMul', ['r1', 'w2'], ['m2'])
        .node('Add', ['m2', 'b2'], ['a2'])
        .node('Relu', ['a2'], ['r2'])
        .node('MatMul', ['r2', 'w3'], ['y'])
        .output('y')
        .build()
      const batches = [positive([8, 5, 16], 1), positive([3, 9, 16], 2)].map((x) => ({ x }))
      const result = await correct(built, batches, { method })
      expect(result.corrections.map(({ output }) => output)).toEqual(['m1', 'm2'])
      expect(result.diagnostics).toEqual([
        expect.objectContaining({ code: 'bias_not_corrected', node: 'y', severity: 'info' }),
      ])
      const [before, after] = await gain(built, { x: positive([8, 7, 16], 9) }, result)
      expect(after).toBeGreaterThan(before + 3)
    },
  )

  it('corrects MatMul and Add of two dimensions, which become one Gemm', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 32])
      .floats('w', [32, 16], risingWeights(512, 1))
      .floats('b', [16], randomValues(16, 2))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Add', ['m', 'b'], ['y'])
      .output('y')
      .build()
    const feeds = { x: positive([100, 32], 1) }
    const { corrections, corrected, quantized } = await correct(built, [feeds], { samples: 100 })
    expect(quantized.layers.map(({ opType }) => opType)).toEqual(['Gemm'])
    expect(corrections.map(({ output }) => output)).toEqual(['y'])
    expect(greatest(await meanErrors(built, corrected.model, feeds))).toBeLessThan(0.01)
  })

  it('gives each of two layers that share weight and bias a bias of its own', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 16])
      .floats('w', [16, 16], risingWeights(256, 1))
      .floats('b', [16], randomValues(16, 2))
      .node('Gemm', ['x', 'w', 'b'], ['a'], { beta: attr.float(2) })
      .node('Relu', ['a'], ['r'])
      .node('Gemm', ['r', 'w', 'b'], ['y'], { beta: attr.float(2) })
      .output('y')
      .build()
    const feeds = { x: positive([64, 16], 1) }
    const result = await correct(built, [feeds])
    const biases = result.model.graph.nodes.flatMap(({ opType, inputs }) =>
      opType === 'Gemm' ? [inputs[2]] : [],
    )
    expect(new Set(biases).size).toBe(2)
    const [before, after] = await gain(built, feeds, result)
    expect(after).toBeGreaterThan(before + 3)
  })

  it('leaves layers alone that stay float, and a model without any other as it is', async () => {
    const built = mobileNet()
    const named = {
      ...built.graph,
      nodes: built.graph.nodes.map((n) => ({ ...n, name: n.outputs[0]! })),
    }
    const options = { ...COARSE, nodesToExclude: ['y'] }
    const { corrections } = await correct({ ...built, graph: named }, images, { options })
    expect(corrections.map(({ output }) => output)).toEqual(['c1', 'c2'])
    const nothing = { model: built, qdq: built, layers: [], diagnostics: [] }
    const source = sourceOf(runtime, images)
    const same = await correctBias({ model: built, quantized: nothing, source })
    expect(same).toEqual({ model: built, corrections: [], diagnostics: [] })
  })

  it('leaves out batches that are not finite, and counts each sample alike', async () => {
    const built = mobileNet()
    const spoilt = { x: { ...positive([6, 8, 8, 8], 7), data: new Float32Array(3072).fill(NaN) } }
    const { quantized } = await correct(built, images)
    const shiftsOf = async (batches: readonly Feeds[]) =>
      correctBias({ model: built, quantized, source: sourceOf(runtime, batches) })
    const [clean, mixed] = [await shiftsOf(images), await shiftsOf([...images, spoilt])]
    expect(mixed.corrections).toEqual(clean.corrections)
    const halves = [images[0]!, images[1]!].flatMap(({ x }) => {
      const data = x.data as Float32Array
      const part = (from: number, to: number) => ({
        x: { ...x, dims: [to - from, 8, 8, 8], data: data.slice(from * 512, to * 512) },
      })
      return [part(0, 1), part(1, 6)]
    })
    const [whole, cut] = [await shiftsOf(images.slice(0, 2)), await shiftsOf(halves.slice(0, 3))]
    expect(cut.corrections).toHaveLength(whole.corrections.length)
    for (const { meanShift } of cut.corrections) expect(meanShift).toBeGreaterThan(0)
  })

  it('does not bring a bias that hardly fits into int32 any closer to its limit', async () => {
    const weights = risingWeights(1152, 1)
    weights.fill(1e-9, 0, 72)
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 8, 8, 8])
      .floats('w', [16, 8, 3, 3], weights)
      .floats('b', [16], new Float32Array(16).with(0, 100))
      .floats('v', [16, 16, 3, 3], risingWeights(2304, 2))
      .node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1] })
      .node('Conv', ['c', 'v'], ['y'])
      .output('y')
      .build()
    const { model: result, corrected } = await correct(built, images, { options: { isa: 'vnni' } })
    const conv = result.graph.nodes[0]!
    expect(toFloat32(result.graph.initializers.get(conv.inputs[2]!)!)[0]).toBe(100)
    expect(corrected.layers[0]).toMatchObject({ decision: 'integer', weight: { bias: 'int32' } })
  })

  it('counts passes and samples, stops when asked to, and wants data', async () => {
    const built = mobileNet()
    const progress: unknown[] = []
    const onProgress = (step: unknown) => progress.push(step)
    const { quantized } = await correct(built, images, { method: 'full', onProgress })
    expect(progress[1]).toEqual({ pass: 1, passes: 4, samples: 12 })
    expect(progress.at(-1)).toEqual({ pass: 4, passes: 4, samples: 24 })
    const source = sourceOf(runtime, images)
    const signal = AbortSignal.abort()
    await expect(correctBias({ model: built, quantized, source, signal })).rejects.toThrow()
    await expect(
      correctBias({ model: built, quantized, source: sourceOf(runtime, []) }),
    ).rejects.toMatchObject({ code: 'quantization_statistics_missing' })
  })
})
