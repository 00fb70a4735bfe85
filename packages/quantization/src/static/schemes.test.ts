// Every type, granularity and format of static quantization, run by the real onnxruntime.
import { checkModel, type Model, onnxOpset } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { tensorFromInts, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomFeeds, randomNetwork } from '../random-network.js'
import type { QuantizedWeightReport } from '../report/report.js'
import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { type QuantizeStaticOptions, resolveStaticOptions } from './options.js'
import { quantizeStatic } from './quantize-static.js'
import { quantizeVerified } from './quantize-verified.js'

const feeds = { x: randomTensor([3, 8, 8, 8], 1) }

/** Conv (dense, depthwise, pointwise), Add, pool, MatMul, Gemm with alpha, beta and transB. */
function network(opset = 17): Model {
  return model({ opset, irVersion: 8 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [40, 8, 3, 3], randomValues(2880, 2, 0.2))
    .floats('b1', [40], randomValues(40, 3))
    .floats('w2', [40, 1, 3, 3], randomValues(360, 4, 0.4))
    .floats('w3', [24, 40, 1, 1], randomValues(960, 5, 0.2))
    .floats('b3', [24], randomValues(24, 6))
    .floats('w4', [24, 48], randomValues(1152, 7, 0.3))
    .floats('w5', [10, 48], randomValues(480, 8, 0.3))
    .floats('b5', [10], randomValues(10, 9))
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'], { pads: [1, 1, 1, 1], group: 40 })
    .node('Add', ['c2', 'r1'], ['s'])
    .node('Conv', ['s', 'w3', 'b3'], ['c3'])
    .node('MaxPool', ['c3'], ['p'], { kernel_shape: [8, 8] })
    .node('Flatten', ['p'], ['f'])
    .node('MatMul', ['f', 'w4'], ['m'])
    .node('Gemm', ['m', 'w5', 'b5'], ['y'], {
      transB: 1,
      alpha: { type: 'float', value: 0.5 },
      beta: { type: 'float', value: 2 },
    })
    .output('y')
    .build()
}

interface Row {
  readonly options: QuantizeStaticOptions
  /** SQNR of the output, in decibels. */
  readonly least: number
  /** Type, granularity and bias of the weights of the two 3×3 convolutions, the 1×1, MatMul, Gemm. */
  readonly weights: readonly string[]
  readonly kernels: readonly string[]
}

const INTEGER = ['QLinearConv', 'QLinearConv', 'QLinearConv', 'QLinearMatMul', 'QGemm']
const FLOAT = ['float:Conv', 'float:Conv', 'float:Conv', 'float:MatMul', 'float:Gemm']
const MIXED = [...INTEGER.slice(0, 2), ...FLOAT.slice(2)]

function weights(kind: string): readonly string[] {
  return ['int32', 'none', 'int32', 'none', 'int32'].map((bias) => `${kind} ${bias}`)
}

/** Blocks of 16: the first two convolutions have 8 and 1 input channels. */
function blocks(type: string): readonly string[] {
  const blocked = ['float32', 'none', 'float32'].map((bias) => `${type} blocked ${bias}`)
  return [...weights(`${type} per_channel`).slice(0, 2), ...blocked]
}

const ROWS: readonly Row[] = [
  { options: {}, least: 30, weights: weights('int8 per_channel'), kernels: INTEGER },
  {
    options: { weightType: 'uint8' },
    least: 30,
    weights: weights('uint8 per_channel'),
    kernels: INTEGER,
  },
  {
    options: { weightType: 'uint8', perChannel: false },
    least: 28,
    weights: weights('uint8 per_tensor'),
    kernels: INTEGER,
  },
  {
    options: { weightType: 'uint8', reduceRange: true, format: 'QOperator' },
    least: 28,
    weights: weights('uint8 per_channel'),
    kernels: INTEGER,
  },
  {
    options: { weightType: 'uint8', perChannel: false, format: 'QOperator' },
    least: 28,
    weights: weights('uint8 per_tensor'),
    kernels: INTEGER,
  },
  {
    options: { activationType: 'uint16' },
    least: 34,
    weights: weights('int8 per_channel'),
    kernels: FLOAT,
  },
  {
    options: { activationType: 'int16', symmetric: true },
    least: 34,
    weights: weights('int8 per_channel'),
    kernels: FLOAT,
  },
  {
    options: { activationType: 'uint16', weightType: 'uint8' },
    least: 34,
    weights: weights('uint8 per_channel'),
    kernels: FLOAT,
  },
  {
    options: { activationType: 'int16', weightType: 'int16' },
    least: 75,
    weights: weights('int16 per_channel'),
    kernels: FLOAT,
  },
  { options: { blockSize: 16 }, least: 32, weights: blocks('int8'), kernels: MIXED },
  {
    options: { blockSize: 16, weightType: 'uint8' },
    least: 34,
    weights: blocks('uint8'),
    kernels: MIXED,
  },
  {
    options: { blockSize: 16, activationType: 'int16', weightType: 'int16' },
    least: 70,
    weights: blocks('int16'),
    kernels: FLOAT,
  },
]

describe('quantization schemes', () => {
  it.each(ROWS)('$options: kernels, accuracy, and the same without optimization', async (row) => {
    const built = network()
    const { options } = row
    const statistics = await calibrated(built, [feeds])
    const result = await quantizeVerified({ model: built, statistics, options, optimize })
    checkModel(result.model)
    expect(result.rounds).toBe(1)
    const reports = result.layers.filter(({ weight }) => weight !== undefined)
    const described = reports.map(({ weight }) => Object.values(pickScheme(weight!)).join(' '))
    expect(described).toEqual(row.weights)
    expect(reports.map(({ kernel }) => kernel)).toEqual(row.kernels)
    const isSlow = row.kernels !== INTEGER
    expect(result.diagnostics.map(({ code }) => code).includes('no_cpu_speed_up')).toBe(isSlow)
    expect(onnxOpset(result.model)).toBe(isSlow ? 21 : 17)
    const { y: before } = await runModel(built, feeds)
    for (const optimization of ['none', 'all'] as const) {
      const { y: after } = await runModel(result.model, feeds, { optimization })
      expect(sqnr(before!, after!)).toBeGreaterThan(row.least)
    }
  })

  it.each(ROWS)('$options: random networks run', async ({ options }) => {
    for (const seed of [3, 5, 6]) {
      const built = randomNetwork(seed)
      const statistics = await calibrated(built, [randomFeeds(seed)])
      const result = quantizeStatic(built, statistics, options)
      checkModel(result.model)
      const before = await runModel(built, randomFeeds(seed))
      for (const optimization of ['none', 'all'] as const) {
        const after = await runModel(result.model, randomFeeds(seed), { optimization })
        for (const [name, value] of Object.entries(before)) {
          expect(sqnr(value, after[name]!), `${seed} ${name}`).toBeGreaterThan(10)
        }
      }
    }
  })

  it('runs weights in blocks without a bias, which onnxruntime would take for ones per channel', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 48])
      .floats('w', [48, 24], randomValues(1152, 1, 0.3))
      .floats('v', [24, 24, 1, 1], randomValues(576, 2, 0.3))
      .floats('u', [10, 24], randomValues(240, 3, 0.3))
      .initializer('shape', tensorFromInts('int64', [4], [-1, 24, 1, 1]))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Reshape', ['m', 'shape'], ['r'])
      .node('Conv', ['r', 'v'], ['c'])
      .node('Flatten', ['c'], ['f'])
      .node('Gemm', ['f', 'u'], ['y'], { transB: 1 })
      .output('y')
      .build()
    const input = { x: randomTensor([4, 48], 4) }
    const options = { blockSize: 16 }
    const statistics = await calibrated(built, [input])
    const { model: quantized, layers } = quantizeStatic(built, statistics, options)
    expect(layers.map(({ weight }) => weight?.granularity)).toEqual([
      'blocked',
      'blocked',
      'blocked',
    ])
    const [before, after] = [await runModel(built, input), await runModel(quantized, input)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it.each([
    { activationType: 'int16', weightType: 'int16' },
    { activationType: 'int16', weightType: 'int16', perChannel: false },
    { activationType: 'uint16', weightType: 'uint8', perChannel: false },
    { activationType: 'int16', weightType: 'int16', blockSize: 16 },
    { blockSize: 16 },
  ] as const satisfies readonly QuantizeStaticOptions[])(
    'keeps a bias that is far greater than the products, with %o',
    async (options) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 32, 6, 6])
        .floats('w', [8, 32, 3, 3], randomValues(2304, 1, 1e-6))
        .floats('b', [8], [9, -8, 7, -6, 5, -4, 3, -2])
        .floats('v', [4, 8, 1, 1], randomValues(32, 2))
        .node('Conv', ['x', 'w', 'b'], ['c'])
        .node('Conv', ['c', 'v'], ['y'])
        .output('y')
        .build()
      const input = { x: randomTensor([1, 32, 6, 6], 3) }
      const statistics = await calibrated(built, [input])
      const { model: quantized } = quantizeStatic(built, statistics, options)
      const { y: before } = await runModel(built, input)
      for (const optimization of ['none', 'all'] as const) {
        const { y: after } = await runModel(quantized, input, { optimization })
        expect(sqnr(before!, after!)).toBeGreaterThan(35)
      }
    },
  )

  it('lets two layers share a weight in blocks, and gives each channel blocks of its own', async () => {
    const values = new Float32Array(64 * 4).map((_, i) => (i < 128 ? 1 : 1000))
    const built = model({ opset: 17 })
      .input('x', 'float32', [2, 64])
      .floats('w', [64, 4], values)
      .node('MatMul', ['x', 'w'], ['a'])
      .node('MatMul', ['x', 'w'], ['b'])
      .node('Add', ['a', 'b'], ['y'])
      .output('y')
      .build()
    const input = { x: randomTensor([2, 64], 1) }
    const statistics = await calibrated(built, [input])
    const { model: quantized } = quantizeStatic(built, statistics, {
      blockSize: 32,
      activationType: 'int16',
    })
    const dequantize = quantized.graph.nodes.filter(({ attributes }) =>
      attributes.has('block_size'),
    )
    expect(dequantize).toHaveLength(1)
    const scales = quantized.graph.initializers.get(dequantize[0]!.inputs[1]!)!
    expect(scales.dims).toEqual([2, 4])
    expect(Array.from(toFloat32(scales), (scale) => Math.round(scale * 127))).toEqual([
      ...[1, 1, 1, 1],
      ...[1000, 1000, 1000, 1000],
    ])
  })

  it('warns of kernels that are slow', async () => {
    const built = network()
    const statistics = await calibrated(built, [feeds])
    const codes = (options: QuantizeStaticOptions) =>
      quantizeStatic(built, statistics, options).diagnostics.map(({ code }) => code)
    expect(codes({ weightType: 'uint8' })).toContain('slow_kernels')
    expect(codes({ activationType: 'int8', format: 'QOperator' })).toContain('slow_kernels')
    expect(codes({ activationType: 'int8', format: 'QOperator', isa: 'neon' })).toEqual([])
    expect(codes({ format: 'QOperator' })).toEqual([])
  })

  it.each([
    [{ weightType: 'uint8', activationType: 'int8' }, 'weightType'],
    [{ weightType: 'int16' }, 'weightType'],
    [{ activationType: 'int16', format: 'QOperator' }, 'format'],
    [{ blockSize: 32, format: 'QOperator' }, 'format'],
    [{ blockSize: -1 }, 'blockSize'],
    [{ activationType: 'int4' as 'int8' }, 'activationType'],
  ] as const satisfies readonly (readonly [QuantizeStaticOptions, string])[])(
    'refuses %o and names %s',
    (options, option) => {
      expect(() => resolveStaticOptions(options)).toThrow(
        expect.objectContaining({
          code: 'quantization_options_invalid',
          message: expect.stringContaining(option) as string,
        }) as Error,
      )
    },
  )
})

function pickScheme({ type, granularity, bias }: QuantizedWeightReport) {
  return { type, granularity, bias }
}
