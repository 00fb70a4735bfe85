import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import type { QuantizeStaticOptions } from './options.js'
import { quantizeStatic } from './quantize-static.js'
import { readBack } from './read-back.js'

const IMAGE = [4, 4, 8, 8]
const feeds = { x: randomTensor(IMAGE, 1) }

/** Conv → Relu → Conv → Add → Relu → GlobalAveragePool → Flatten → Gemm. */
function smallResNet(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 4, 8, 8])
    .floats('w1', [16, 4, 3, 3], randomValues(576, 2, 0.3))
    .floats('b1', [16], randomValues(16, 3))
    .floats('w2', [16, 16, 3, 3], randomValues(2304, 4, 0.1))
    .floats('b2', [16], randomValues(16, 5))
    .floats('w3', [10, 16], randomValues(160, 6))
    .floats('b3', [10], randomValues(10, 7))
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2', 'b2'], ['c2'], { pads: [1, 1, 1, 1] })
    .node('Add', ['c2', 'r1'], ['s'])
    .node('Relu', ['s'], ['r2'])
    .node('GlobalAveragePool', ['r2'], ['p'])
    .node('Flatten', ['p'], ['f'])
    .node('Gemm', ['f', 'w3', 'b3'], ['y'], { transB: 1 })
    .output('y')
    .build()
}

async function quantize(built: Model, options: QuantizeStaticOptions = {}) {
  return quantizeStatic(built, await calibrated(built, [feeds], options), options)
}

async function kernels(built: Model, options: QuantizeStaticOptions = {}) {
  const result = await quantize(built, options)
  const { layers } = await readBack(result.model, result.layers, optimize)
  return layers.map(({ opType, kernel }) => `${opType} ${kernel ?? '-'}`)
}

describe('quantizeStatic', () => {
  it.each([
    {},
    { activationType: 'int8' },
    { perChannel: false },
    { reduceRange: true },
    { reduceRange: false },
    { isa: 'vnni' },
    { activationType: 'int8', symmetric: true },
    { symmetric: true },
  ] as const satisfies readonly QuantizeStaticOptions[])(
    'computes nearly what the float model computes, with %o',
    async (options) => {
      const built = smallResNet()
      const { model: quantized } = await quantize(built, options)
      checkModel(quantized)
      const [before, after] = [await runModel(built, feeds), await runModel(quantized, feeds)]
      expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(25)
    },
  )

  it('means the same to kernels and to the specification', async () => {
    const { model: quantized } = await quantize(smallResNet())
    const kernelResult = await runModel(quantized, feeds)
    const reference = await runModel(quantized, feeds, { optimization: 'none' })
    expect(sqnr(reference['y']!, kernelResult['y']!)).toBeGreaterThan(35)
  })

  it.each([{}, { perChannel: false }, { reduceRange: true }] as const)(
    'places Q and DQ where onnxruntime makes integer kernels of them, with %o',
    async (options) => {
      expect(await kernels(smallResNet(), options)).toEqual([
        'Conv QLinearConv',
        'Conv QLinearConv',
        'Add QLinearAdd',
        'GlobalAveragePool QLinearGlobalAveragePool',
        'Gemm QGemm',
      ])
    },
  )

  it('folds alpha and beta of Gemm into its integers', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [256, 10], randomValues(2560, 1))
      .floats('c', [10], randomValues(10, 2, 20))
      .node('Flatten', ['x'], ['f'])
      .node('Gemm', ['f', 'w', 'c'], ['y'], {
        alpha: { type: 'float', value: 2 },
        beta: { type: 'float', value: 0.5 },
      })
      .output('y')
      .build()
    const { model: quantized } = await quantize(built)
    const [before, after] = [await runModel(built, feeds), await runModel(quantized, feeds)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it('quantizes a weight that two nodes share once', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [4, 4, 3, 3], randomValues(144, 1))
      .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
      .node('Conv', ['a', 'w'], ['y'], { pads: [1, 1, 1, 1] })
      .output('y')
      .build()
    const { model: quantized } = await quantize(built)
    const weights = [...quantized.graph.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'int8' && dims.length === 4,
    )
    expect(weights).toHaveLength(1)
  })

  it('keeps names and types of graph inputs and outputs, also of a quantized output', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [8, 4, 5, 5], randomValues(800, 1))
      .node('Conv', ['x', 'w'], ['inner'])
      .node('Relu', ['inner'], ['y'])
      .output('y', 'float32')
      .output('inner', 'float32')
      .build()
    const { model: quantized } = await quantize(built)
    const results = await runModel(quantized, feeds)
    expect(Object.keys(results)).toEqual(['y', 'inner'])
    expect(results['y']!.dataType).toBe('float32')
    const before = await runModel(built, feeds)
    expect(sqnr(before['inner']!, results['inner']!)).toBeGreaterThan(30)
    expect(sqnr(before['y']!, results['y']!)).toBeGreaterThan(30)
  })

  it('makes room for a large bias by a coarser weight of its channel only', async () => {
    const values = randomValues(8 * 100, 1)
    values.fill(1e-9, 0, 100)
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [8, 4, 5, 5], values)
      .floats('b', [8], [100, 1, 1, 1, 1, 1, 1, 1])
      .node('Conv', ['x', 'w', 'b'], ['y'])
      .output('y')
      .build()
    const statistics = await calibrated(built, [feeds])
    const { model: quantized, layers } = quantizeStatic(built, statistics)
    expect(layers[0]).toMatchObject({ decision: 'integer', weight: { bias: 'int32' } })
    const after = await runModel(quantized, feeds)
    expect(after['y']!.data[0]).toBeCloseTo(100, 0)
  })

  it('leaves a layer float whose bias does not fit with one scale for all channels', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [8, 4, 3, 3], randomValues(288, 1, 1e-9))
      .floats('b', [8], new Float32Array(8).fill(100))
      .floats('v', [8, 8, 3, 3], randomValues(576, 2))
      .node('Conv', ['x', 'w', 'b'], ['a'])
      .node('Conv', ['a', 'v'], ['y'])
      .output('y')
      .build()
    const { diagnostics, layers } = await quantize(built, { perChannel: false })
    expect(layers.map(({ decision }) => decision)).toEqual(['float', 'integer'])
    expect(diagnostics).toEqual([
      expect.objectContaining({ code: 'bias_too_large', severity: 'warning', node: 'a' }),
    ])
  })

  it('keeps MatMul and bias in integers where shapes are fixed and onnxruntime would merge them', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', [2, 5, 16])
      .floats('w', [16, 8], randomValues(128, 1))
      .floats('b', [8], randomValues(8, 2))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Add', ['m', 'b'], ['y'])
      .output('y')
      .build()
    const input = { x: randomTensor([2, 5, 16], 3) }
    const { model: quantized, layers } = quantizeStatic(built, await calibrated(built, [input]))
    const read = await readBack(quantized, layers, optimize)
    expect(read.layers[0]?.kernel).toBe('MatMulIntegerToFloat')
    const [before, after] = [await runModel(built, input), await runModel(quantized, input)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it('turns MatMul and bias of two dimensions into one integer Gemm', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32')
      .floats('w', [16, 8], randomValues(128, 1))
      .floats('b', [8], randomValues(8, 2))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Add', ['m', 'b'], ['y'])
      .output('y')
      .build()
    const input = { x: randomTensor([5, 16], 3) }
    const { model: quantized, layers } = quantizeStatic(built, await calibrated(built, [input]))
    const read = await readBack(quantized, layers, optimize)
    expect(read.layers.map(({ opType, kernel }) => [opType, kernel])).toEqual([['Gemm', 'QGemm']])
  })

  it('reports schemes, ranges and saturation risk of each layer', async () => {
    const risky = await quantize(smallResNet(), { isa: 'vnni' })
    expect(risky.layers[0]?.weight).toMatchObject({ range: 'full', granularity: 'per_channel' })
    expect(risky.layers[0]?.weight?.saturationRisk).toBeGreaterThan(0)
    const safe = await quantize(smallResNet())
    expect(safe.layers.map(({ weight }) => weight?.saturationRisk ?? 0)).toEqual([0, 0, 0, 0, 0])
    expect(safe.layers[0]).toMatchObject({
      opType: 'Conv',
      decision: 'integer',
      input: { name: 'x', type: 'uint8' },
      outputValue: { name: 'r1', zeroPoint: 0, range: { min: 0 } },
    })
  })

  it('says which nodes on the data path have no integer kernel', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 8, 8])
      .floats('w', [8, 4, 5, 5], randomValues(800, 1))
      .node('Conv', ['x', 'w'], ['c'])
      .node('Tanh', ['c'], ['y'])
      .node('Shape', ['y'], ['shape'])
      .output('y')
      .output('shape', 'int64')
      .build()
    const { diagnostics } = await quantize(built)
    expect(diagnostics).toEqual([
      expect.objectContaining({ code: 'no_kernel', opType: 'Tanh', node: 'y' }),
    ])
  })

  it('refuses options that contradict themselves, and statistics of another model', async () => {
    const built = smallResNet()
    const statistics = await calibrated(built, [feeds])
    expect(() => quantizeStatic(built, statistics, { isa: 'z80' as 'auto' })).toThrow(
      expect.objectContaining({ code: 'quantization_options_invalid' }) as Error,
    )
    expect(() => quantizeStatic(built, { ...statistics, tensors: {} })).toThrow(
      expect.objectContaining({ code: 'quantization_statistics_missing' }) as Error,
    )
  })
})
