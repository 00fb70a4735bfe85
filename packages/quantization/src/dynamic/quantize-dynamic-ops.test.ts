// Dynamic quantization of each operator beyond MatMul and Conv, and of what must stay as it is.
import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import type { RuntimeTensor } from '@pare/tensor'
import { elementCount, tensorFromFloats, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeDynamic, type QuantizeDynamicOptions } from './quantize-dynamic.js'

/** Signal to noise of output `y`, for one batch of feeds. */
async function fidelity(
  before: Model,
  feeds: Readonly<Record<string, RuntimeTensor>>,
  options: QuantizeDynamicOptions = {},
) {
  checkModel(before)
  const result = quantizeDynamic(before, options)
  checkModel(result.model)
  const [a, b] = [await runModel(before, feeds), await runModel(result.model, feeds)]
  return { ...result, sqnr: sqnr(a['y']!, b['y']!) }
}

function initializerBytes({ graph }: Model): number {
  const sizes = { float32: 4, int8: 1 } as Readonly<Record<string, number>>
  return [...graph.initializers.values()].reduce(
    (sum, { dataType, dims }) => sum + (sizes[dataType] ?? 0) * elementCount(dims),
    0,
  )
}

describe('Attention', () => {
  const attention = (withBias: boolean, attributes = {}, mask = false) => {
    const built = model({ opset: 17, domains: { 'com.microsoft': 1 } })
      .input('x', 'float32', ['n', 't', 32])
      .floats('w', [32, 96], randomValues(32 * 96, 2, 0.3))
    if (withBias) built.floats('b', [96], randomValues(96, 3))
    if (mask) built.initializer('m', tensorFromInts('int32', [3], [5, 4, 2]))
    const inputs = ['x', 'w', withBias ? 'b' : '', ...(mask ? ['m'] : [])]
    return built
      .node('com.microsoft::Attention', inputs, ['y'], { num_heads: 4, ...attributes })
      .output('y')
      .build()
  }
  const feeds = { x: randomTensor([3, 5, 32], 1) }

  it.each([
    ['with a bias', attention(true)],
    ['causal', attention(true, { unidirectional: 1 })],
    ['with a mask', attention(true, {}, true)],
  ])('%s becomes QAttention', async (_, built) => {
    const result = await fidelity(built, feeds)
    expect(result.model.graph.nodes.map(({ opType }) => opType)).toContain('QAttention')
    expect(result.layers).toMatchObject([{ decision: 'integer', opType: 'Attention' }])
    expect(result.sqnr).toBeGreaterThan(30)
  })

  it('gets a bias of zeros where it has none', async () => {
    // onnxruntime's own float kernel crashes without a bias, so there is no float run to compare.
    const { model: quantized } = quantizeDynamic(attention(false))
    checkModel(quantized)
    const zeros = [...quantized.graph.initializers.values()].find(
      ({ dims }) => dims.join() === '96',
    )
    expect(zeros).toBeDefined()
    expect((await runModel(quantized, feeds))['y']?.dims).toEqual([3, 5, 32])
  })

  it('stays where QAttention lacks an input', () => {
    const built = model({ opset: 17, domains: { 'com.microsoft': 1 } })
      .input('x', 'float32', ['n', 't', 32])
      .input('bias', 'float32', ['n', 4, 't', 't'])
      .floats('w', [32, 96], randomValues(32 * 96, 2, 0.3))
      .floats('w2', [32, 8], randomValues(32 * 8, 4))
      .node('com.microsoft::Attention', ['x', 'w', '', '', '', 'bias'], ['a'], { num_heads: 4 })
      .node('MatMul', ['a', 'w2'], ['y'])
      .output('y')
      .build()
    expect(quantizeDynamic(built).diagnostics).toMatchObject([
      { opType: 'Attention', code: 'gemm_form' },
    ])
  })
})

describe('Gather', () => {
  /** Entries of very different size, as those of rare and of frequent words. */
  const embedding = () => {
    const values = randomValues(128 * 64, 2)
    for (let i = 0; i < values.length; i++) values[i]! *= 2 ** (Math.floor(i / 64) % 8)
    return model({ opset: 17 })
      .input('ids', 'int64', ['n', 't'])
      .floats('table', [128, 64], values)
      .node('Gather', ['table', 'ids'], ['y'])
      .output('y')
      .build()
  }
  const ids: RuntimeTensor = {
    dataType: 'int64',
    dims: [2, 64],
    data: BigInt64Array.from({ length: 128 }, (_, i) => BigInt(i)),
  }

  it('reads a table of int8, with a scale per entry', async () => {
    const built = embedding()
    const result = await fidelity(built, { ids })
    expect(result.sqnr).toBeGreaterThan(38)
    expect(initializerBytes(result.model) / initializerBytes(built)).toBeLessThan(0.27)
    expect(result.layers).toMatchObject([
      { decision: 'integer', message: expect.stringContaining('stored') as string },
    ])
  })

  it('loses more with one scale for all', async () => {
    const [fine, coarse] = [
      await fidelity(embedding(), { ids }),
      await fidelity(embedding(), { ids }, { perChannel: false }),
    ]
    expect(coarse.sqnr).toBeGreaterThan(25)
    // In decibels of all entries together, which those of the greatest ones outweigh.
    expect(fine.sqnr).toBeGreaterThan(coarse.sqnr)
  })

  it('leaves small tables and other axes', () => {
    const built = model({ opset: 17 })
      .input('ids', 'int64', ['n'])
      .floats('small', [4, 8], randomValues(32, 2))
      .floats('table', [64, 128], randomValues(64 * 128, 3))
      .floats('w', [8, 8], randomValues(64, 4))
      .node('Gather', ['small', 'ids'], ['a'])
      .node('Gather', ['table', 'ids'], ['b'], { axis: 1 })
      .node('MatMul', ['a', 'w'], ['y'])
      .output('y')
      .output('b')
      .build()
    const { layers } = quantizeDynamic(built)
    expect(layers.map(({ opType, decision }) => [opType, decision])).toEqual([
      ['Gather', 'float'],
      ['MatMul', 'integer'],
    ])
  })
})

describe('GRU and RNN', () => {
  it.each([
    ['GRU', 3],
    ['RNN', 1],
  ] as const)('%s gets int8 weights by request, both directions', async (opType, gates) => {
    const hidden = 12
    const rows = gates * hidden
    const built = model({ opset: 17 })
      .input('x', 'float32', ['t', 'n', 32])
      .floats('w', [2, rows, 32], randomValues(2 * rows * 32, 2, 0.2))
      .floats('r', [2, rows, hidden], randomValues(2 * rows * hidden, 3, 0.2))
      .node(opType, ['x', 'w', 'r'], ['y'], { hidden_size: hidden, direction: 'bidirectional' })
      .output('y')
      .build()
    const feeds = { x: randomTensor([5, 2, 32], 1) }
    const result = await fidelity(built, feeds, { opTypesToQuantize: [opType] })
    expect(result.sqnr).toBeGreaterThan(35)
    expect(initializerBytes(result.model) / initializerBytes(built)).toBeLessThan(0.35)
  })
})

describe('weights', () => {
  it('that two LSTMs share are written once', async () => {
    const hidden = 8
    const built = model({ opset: 17 })
      .input('x', 'float32', ['t', 'n', 8])
      .floats('w', [1, 4 * hidden, 8], randomValues(32 * 8, 2, 0.3))
      .floats('r', [1, 4 * hidden, hidden], randomValues(32 * hidden, 3, 0.3))
      .initializer('axes', tensorFromInts('int64', [1], [1]))
      .node('LSTM', ['x', 'w', 'r'], ['h'], { hidden_size: hidden })
      .node('Squeeze', ['h', 'axes'], ['s'])
      .node('LSTM', ['s', 'w', 'r'], ['y'], { hidden_size: hidden, layout: 0 })
      .output('y')
      .build()
    const result = await fidelity(built, { x: randomTensor([5, 2, 8], 1) })
    expect(result.sqnr).toBeGreaterThan(20)
    const matrices = [...result.model.graph.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'int8' && dims.length === 3,
    )
    expect(matrices).toHaveLength(2)
  })

  it('of other types than float32 stay, with the reason', () => {
    const built = model({ opset: 17 })
      .input('x', 'float64', ['n', 8])
      .input('z', 'float32', ['n', 8])
      .initializer('w', tensorFromFloats('float64', [8, 8], randomValues(64, 1)))
      .initializer('k', tensorFromFloats('float64', [4, 8, 1], randomValues(32, 2)))
      .initializer('axes', tensorFromInts('int64', [1], [2]))
      .floats('v', [8, 8], randomValues(64, 3))
      .node('MatMul', ['x', 'w'], ['a'])
      .node('Unsqueeze', ['a', 'axes'], ['u'])
      .node('Conv', ['u', 'k'], ['c'])
      .node('MatMul', ['z', 'v'], ['y'])
      .output('c', 'float64')
      .output('y')
      .build()
    const { layers, diagnostics } = quantizeDynamic(built, {
      opTypesToQuantize: ['Conv', 'MatMul'],
    })
    expect(layers.map(({ decision }) => decision)).toEqual(['float', 'float', 'integer'])
    expect(diagnostics).toMatchObject([
      { code: 'weight_not_float32', message: expect.stringContaining('float64') as string },
      { code: 'weight_not_float32' },
    ])
  })
})
