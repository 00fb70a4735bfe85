import type { Feeds } from '@pare/calibration'
import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom, type RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import type { QuantizeStaticOptions } from '../options.js'
import { quantizeStatic } from '../quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { correctBias, type CorrectBiasOptions } from './bias-correction.js'
import { sourceOf } from './testing.js'

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

  it('leaves no mean error per channel where one layer is all there is', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 8, 9, 9])
      .floats('w', [16, 8, 3, 3], risingWeights(1152, 1))
      .node('Conv', ['x', 'w'], ['y'], { strides: [2, 2], pads: [0, 1, 1, 0] })
      .output('y')
      .build()
    const feeds = { x: positive([8, 8, 9, 9], 1) }
    const { quantized, corrected } = await correct(built, [feeds])
    const before = await meanErrors(built, quantized.model, feeds)
    const after = await meanErrors(built, corrected.model, feeds)
    const step = quantized.layers[0]!.outputValue!.scale
    expect(Math.max(...before.map(Math.abs))).toBeGreaterThan(10 * step)
    expect(Math.max(...after.map(Math.abs))).toBeLessThan(0.1 * step)
  })
})
