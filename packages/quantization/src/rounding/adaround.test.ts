import type { Feeds } from '@pare/datasets'
import { attr, checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom, type RuntimeTensor, tensorFromFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { integerLayers } from '../layers/integer-layers.js'
import { sourceOf } from '../layers/testing.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import { quantizeStatic } from '../static/quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { correlatedInputs } from '../weights/testing.js'
import { adaRound, type AdaRoundOptions } from './adaround.js'

const runtime = onnxRuntime()

/** As coarse as four bits: one scale for all channels, which an outlier decides. */
const COARSE = { perChannel: false, isa: 'vnni' } as const

/**
 * Weights of which all but the first lie within nine steps of their scale. The input that the first
 * is multiplied with is always 0 here, so that it costs nothing but steps.
 */
function coarseWeights(count: number, seed: number): Float32Array {
  const values = randomValues(count, seed)
  values[0] = 60
  return values
}

/** Biases that keep the first channel below 0. */
function silencing(count: number, seed: number): Float32Array {
  return randomValues(count, seed).with(0, -1000)
}

/** X [rows, columns] with a first column of zeros. */
function rows(count: number, columns: number, seed: number): Float32Array {
  return correlatedInputs(count, columns, seed).map((x, i) => (i % columns === 0 ? 0 : x))
}

/** Images whose channels and neighbours are alike, as they are in networks. */
function images(count: number, seed: number): RuntimeTensor {
  const { normal } = createRandom(seed)
  const size = [count, 8, 8, 8] as const
  const data = new Float32Array(count * 512)
  for (let n = 0; n < count; n++) {
    const waves = Array.from({ length: 3 }, () => [normal(), normal(), normal(), normal()] as const)
    for (let i = 0; i < 512; i++) {
      const [c, y, x] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8] as const
      const at = waves.map(([a, b, d, e]) => d * Math.sin(a * (y + c / 3) + b * x + e))
      const value = at.reduce((sum, wave) => sum + wave, 0) + 0.2 * normal()
      data[n * 512 + i] = c === 0 ? 0 : value
    }
  }
  return { dataType: 'float32', dims: size, data }
}

/** Conv → Relu → depthwise Conv → Clip → Conv → GlobalAveragePool → Flatten → Gemm. */
function network(): Model {
  // The first output of the third convolution is 0 too.
  const third = coarseWeights(96, 4).fill(0, 1, 8)
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [16, 8, 3, 3], coarseWeights(1152, 1))
    .floats('b1', [16], silencing(16, 2))
    .floats('w2', [16, 1, 3, 3], coarseWeights(144, 3))
    .floats('w3', [12, 8, 1, 1], third)
    .floats('b3', [12], randomValues(12, 5).with(0, 0))
    .floats('w4', [12, 6], coarseWeights(72, 6))
    .floats('b4', [6], randomValues(6, 7))
    .floats('low', [], [0])
    .floats('high', [], [2000])
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'], { group: 16, strides: [2, 2], pads: [1, 1, 1, 1] })
    .node('Clip', ['c2', 'low', 'high'], ['r2'])
    .node('Conv', ['r2', 'w3', 'b3'], ['c3'], { group: 2 })
    .node('GlobalAveragePool', ['c3'], ['p'])
    .node('Flatten', ['p'], ['f'])
    .node('Gemm', ['f', 'w4', 'b4'], ['y'])
    .output('y')
    .build()
}

async function round(
  built: Model,
  batches: readonly Feeds[],
  choice: Partial<AdaRoundOptions> & { readonly options?: QuantizeStaticOptions } = {},
) {
  const { options = COARSE, ...rest } = choice
  const statistics = await calibrated(built, batches, options)
  const quantized = quantizeStatic(built, statistics, options)
  const source = sourceOf(runtime, batches)
  const result = await adaRound({ model: built, quantized, source, iterations: 200, ...rest })
  checkModel(result.model)
  return { ...result, quantized, again: quantizeStatic(result.model, statistics, options) }
}

/** Two convolutions, of which the second makes y. */
function pair(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [16, 8, 3, 3], randomValues(1152, 1))
    .floats('w2', [16, 16, 3, 3], coarseWeights(2304, 2))
    .node('Conv', ['x', 'w1'], ['c'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c'], ['r'])
    .node('Conv', ['r', 'w2'], ['y'], { strides: [2, 1], pads: [0, 1, 1, 0] })
    .output('y')
    .build()
}

/** The float model with the weights that its last layer has in the quantized one. */
function withRoundedWeights(built: Model, quantized: Awaited<ReturnType<typeof round>>['again']) {
  const initializers = new Map(built.graph.initializers)
  for (const layer of integerLayers(built, quantized)) {
    if (layer.report.output !== 'y') continue
    const { weight, weightName } = layer.float
    initializers.set(weightName, tensorFromFloat32(weight.dims, layer.integers.values()))
  }
  return { ...built, graph: { ...built.graph, initializers } }
}

async function meanSquaredError(a: Model, b: Model, batches: readonly Feeds[]): Promise<number> {
  let [sum, count] = [0, 0]
  for (const feeds of batches) {
    const [x, y] = [(await runModel(a, feeds))['y']!.data, (await runModel(b, feeds))['y']!.data]
    for (let i = 0; i < x.length; i++) sum += (Number(x[i]) - Number(y[i])) ** 2
    count += x.length
  }
  return sum / count
}

describe('adaRound', () => {
  const batches = [1, 2, 3, 4].map((seed) => ({ x: images(16, seed) }))

  it('rounds every kind of layer better than to nearest, on inputs it has not seen', async () => {
    const built = network()
    const { quantized, again, rounded, diagnostics } = await round(built, batches)
    expect(rounded.map(({ output }) => output)).toEqual(['c1', 'c2', 'c3', 'y'])
    for (const { mseBefore, mseAfter, flipped } of rounded) {
      expect(mseAfter).toBeLessThan(0.7 * mseBefore)
      expect(flipped).toBeGreaterThan(0)
    }
    expect(diagnostics).toEqual([])
    const unseen = { x: images(16, 99) }
    const [float, before, after] = [
      await runModel(built, unseen),
      await runModel(quantized.model, unseen),
      await runModel(again.model, unseen),
    ]
    const gain = sqnr(float['y']!, after['y']!) - sqnr(float['y']!, before['y']!)
    expect(gain).toBeGreaterThan(3)
  })

  it.each([COARSE, {}, { reduceRange: true }, { perChannel: false }, { isa: 'vnni' }] as const)(
    'gives a float model that quantizes to just the integers chosen, with %o',
    async (options) => {
      const {
        model: result,
        quantized,
        again,
        rounded,
      } = await round(network(), batches, { options })
      const [before, after] = [integerLayers(network(), quantized), integerLayers(result, again)]
      for (const [i, layer] of after.entries()) {
        expect(layer.integers.scales).toEqual(before[i]!.integers.scales)
        expect(layer.weightReport.saturationRisk).toBe(before[i]!.weightReport.saturationRisk)
        const changes = Array.from(
          layer.integers.data,
          (q, at) => q - before[i]!.integers.data[at]!,
        )
        const flipped = changes.reduce((sum, change) => sum + Math.abs(change), 0)
        expect(flipped).toBe(rounded[i]!.flipped)
      }
    },
  )

  it('reports the errors that the roundings really cause', async () => {
    const built = pair()
    const {
      model: result,
      quantized,
      again,
      rounded,
    } = await round(built, batches, {
      layers: ['y'],
    })
    const [report] = rounded
    const before = await meanSquaredError(built, withRoundedWeights(built, quantized), batches)
    const after = await meanSquaredError(built, withRoundedWeights(result, again), batches)
    expect(report!.mseBefore / before).toBeCloseTo(1, 2)
    expect(report!.mseAfter / after).toBeCloseTo(1, 2)
  })

  it('gives the bias what the roundings take from the mean', async () => {
    const built = pair()
    const { model: result, again } = await round(built, batches, { layers: ['y'] })
    const rounded = withRoundedWeights(result, again)
    let [difference, count] = [0, 0]
    for (const feeds of batches) {
      const [x, y] = [(await runModel(built, feeds))['y']!, (await runModel(rounded, feeds))['y']!]
      for (let i = 0; i < x.data.length; i++) difference += Number(x.data[i]) - Number(y.data[i])
      count += x.data.length
    }
    expect(Math.abs(difference / count)).toBeLessThan(1e-3)
  })

  it('folds alpha and beta of Gemm, and gives nodes that share a weight the same roundings', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 16])
      .floats('w', [16, 16], coarseWeights(256, 1))
      .floats('b', [16], silencing(16, 2))
      .node('Gemm', ['x', 'w', 'b'], ['a'], { alpha: attr.float(0.5), beta: attr.float(2) })
      .node('Relu', ['a'], ['s'])
      .node('Gemm', ['s', 'w', 'b'], ['y'], { alpha: attr.float(0.5), beta: attr.float(2) })
      .output('y')
      .build()
    const inputs = [1, 2].map((seed) => ({
      x: { dataType: 'float32', dims: [64, 16], data: rows(64, 16, seed) } as const,
    }))
    const { model: result, quantized, again, rounded } = await round(built, inputs)
    expect(rounded.map(({ output }) => output)).toEqual(['a', 'y'])
    expect(rounded[0]).toMatchObject({ flipped: rounded[1]!.flipped })
    const weights = result.graph.nodes.flatMap(({ opType, inputs: names }) =>
      opType === 'Gemm' ? [names[1]] : [],
    )
    expect(new Set(weights).size).toBe(1)
    const [float, before, after] = [
      await runModel(built, inputs[0]!),
      await runModel(quantized.model, inputs[0]!),
      await runModel(again.model, inputs[0]!),
    ]
    expect(sqnr(float['y']!, after['y']!)).toBeGreaterThan(sqnr(float['y']!, before['y']!))
  })

  it('rounds MatMul with and without an Add behind it', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 't', 16])
      .floats('w1', [16, 24], coarseWeights(384, 1))
      .floats('b1', [24], silencing(24, 2))
      .floats('w2', [24, 8], coarseWeights(192, 3))
      .node('MatMul', ['x', 'w1'], ['m'])
      .node('Add', ['m', 'b1'], ['a'])
      .node('Relu', ['a'], ['r'])
      .node('MatMul', ['r', 'w2'], ['y'])
      .output('y')
      .build()
    const all = rows(320, 16, 1)
    const part = (i: number): Feeds => {
      const data = all.subarray(i * 1280, (i + 1) * 1280)
      return { x: { dataType: 'float32', dims: [8, 10, 16], data } }
    }
    const [unseen, inputs] = [part(0), [1, 2, 3].map(part)]
    const { quantized, again, rounded } = await round(built, inputs)
    expect(rounded.map(({ output }) => output)).toEqual(['m', 'y'])
    const [float, before, after] = [
      await runModel(built, unseen),
      await runModel(quantized.model, unseen),
      await runModel(again.model, unseen),
    ]
    expect(sqnr(float['y']!, after['y']!)).toBeGreaterThan(sqnr(float['y']!, before['y']!) + 3)
  })

  it('rounds only the layers asked for, and none whose inputs never vary', async () => {
    const built = network()
    const { model: result, rounded } = await round(built, batches, { layers: ['c2'] })
    expect(rounded.map(({ output }) => output)).toEqual(['c2'])
    expect(result.graph.initializers.get('w1')).toBe(built.graph.initializers.get('w1'))
    const zeros = { x: { ...randomTensor([4, 8, 8, 8], 1), data: new Float32Array(2048) } }
    const still = await round(built, [zeros], { layers: ['c1'], options: { perChannel: false } })
    expect(still.rounded).toEqual([])
    expect(still.model).toBe(built)
    expect(still.diagnostics).toEqual([
      expect.objectContaining({ code: 'rounding_not_optimized', node: 'c1' }),
    ])
  })

  it('gives the same result each time, counts samples and layers, and can be stopped', async () => {
    const progress: unknown[] = []
    const [first, second] = [
      await round(network(), batches, { onProgress: (step) => progress.push(step) }),
      await round(network(), batches),
    ]
    expect(first.rounded).toEqual(second.rounded)
    expect(progress.at(3)).toEqual({ samples: 64, layers: 0, ofLayers: 4 })
    expect(progress.at(-1)).toEqual({ samples: 0, layers: 4, ofLayers: 4 })
    await expect(round(network(), batches, { signal: AbortSignal.abort() })).rejects.toThrow()
  })
})
