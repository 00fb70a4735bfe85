import { attr, checkModel, intAttribute, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { NO_SHAPES } from '@pare/passes'
import { encodeFloat16, type RuntimeTensor, tensorFromInts, tensorFromStored } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import type { QuantizeWeightsOptions } from './options.js'
import { quantizeWeights } from './quantize-weights.js'

const REFERENCE = { optimization: 'none' } as const
const feeds = { x: randomTensor([3, 5, 70], 1) }

/** A MatMul whose K is no multiple of the block, and a Gemm-like bias. */
function oneMatMul(): ModelBuilder {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 't', 70])
    .floats('w', [70, 40], randomValues(2800, 2))
    .node('MatMul', ['x', 'w'], ['y'])
    .named('layer')
    .output('y', 'float32', ['n', 't', 40])
}

function opTypes(built: Model): readonly string[] {
  return built.graph.nodes.map(({ opType }) => opType)
}

async function quality(
  before: Model,
  options: QuantizeWeightsOptions,
  inputs: Readonly<Record<string, RuntimeTensor>> = feeds,
): Promise<{ readonly decibels: number; readonly after: Model }> {
  const { model: after } = await quantizeWeights(before, options)
  checkModel(after)
  const [x, y] = [await runModel(before, inputs), await runModel(after, inputs, REFERENCE)]
  expect(y['y']!.dims).toEqual(x['y']!.dims)
  return { decibels: sqnr(x['y']!, y['y']!), after }
}

/** What 8, 4 and 2 bits of normally distributed weights are worth, in decibels. */
const EXPECTED = { 8: 36, 4: 16, 2: 4 } as const

describe('quantizeWeights', () => {
  describe.each(['MatMulNBits', 'QDQ'] as const)('as %s', (format) => {
    const bits = format === 'QDQ' ? ([8, 4] as const) : ([8, 4, 2] as const)
    const cases = bits.flatMap((b) => [true, false].map((symmetric) => ({ bits: b, symmetric })))

    it.each(cases)('computes nearly what the float model computes: %o', async (options) => {
      const { decibels, after } = await quality(oneMatMul().build(), { format, ...options })
      expect(decibels).toBeGreaterThan(EXPECTED[options.bits])
      expect(after.graph.initializers.has('w')).toBe(false)
    })

    it.each([16, 32, 64, 128, 256] as const)('runs with blocks of %i', async (blockSize) => {
      const { decibels } = await quality(oneMatMul().build(), { format, blockSize })
      expect(decibels).toBeGreaterThan(14)
    })

    it.each([0, 1])('takes Gemm with alpha, beta and bias, transB %i', async (transB) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 64])
        .floats('w', transB === 1 ? [24, 64] : [64, 24], randomValues(1536, 3))
        .floats('c', [24], randomValues(24, 4, 20))
        .node('Gemm', ['x', 'w', 'c'], ['y'], {
          transB,
          alpha: attr.float(0.5),
          beta: attr.float(2),
        })
        .output('y')
        .build()
      const { decibels } = await quality(
        built,
        { format, bits: 8 },
        { x: randomTensor([4, 64], 5) },
      )
      expect(decibels).toBeGreaterThan(38)
    })

    it('keeps the shape where the weight has leading dimensions of 1', async () => {
      const built = model({ opset: 17 })
        .input('x', 'float32', [2, 3, 64])
        .floats('w', [1, 64, 24], randomValues(1536, 3))
        .node('MatMul', ['x', 'w'], ['y'])
        .output('y')
        .build()
      const { decibels, after } = await quality(
        built,
        { format },
        { x: randomTensor([2, 3, 64], 6) },
      )
      expect(decibels).toBeGreaterThan(14)
      expect(opTypes(after)).not.toEqual(['MatMul'])
    })

    it('writes a shared weight once', async () => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 64])
        .floats('w', [64, 64], randomValues(4096, 3, 0.1))
        .node('MatMul', ['x', 'w'], ['h'])
        .node('MatMul', ['h', 'w'], ['y'])
        .output('y')
        .build()
      const { decibels, after } = await quality(
        built,
        { format, symmetric: true },
        { x: randomTensor([4, 64], 5) },
      )
      expect(decibels).toBeGreaterThan(12)
      expect(after.graph.initializers.size).toBe(2)
    })

    it.each([8, 4] as const)('shrinks embeddings to %i bits', async (tableBits) => {
      for (const symmetric of [true, false]) {
        const built = model({ opset: 17 })
          .input('x', 'int64', ['n', 't'])
          .floats('w', [50, 48], randomValues(2400, 3))
          .node('Gather', ['w', 'x'], ['y'])
          .output('y')
          .build()
        const indices = BigInt64Array.of(0n, 49n, 7n, 20n, 3n, 3n)
        const { decibels } = await quality(
          built,
          { format, symmetric, bits: tableBits },
          { x: { dataType: 'int64', dims: [2, 3], data: indices } },
        )
        expect(decibels).toBeGreaterThan(EXPECTED[tableBits])
      }
    })

    it('takes float16 models', async () => {
      const half = (values: Float32Array) => encodeFloat16(values)
      const built = model({ opset: 17 })
        .input('x', 'float16', ['n', 64])
        .initializer('w', tensorFromStored('float16', [64, 24], half(randomValues(1536, 3))))
        .node('MatMul', ['x', 'w'], ['y'])
        .output('y', 'float16')
        .build()
      const x = { dataType: 'float16', dims: [2, 64], data: half(randomValues(128, 4)) } as const
      const { model: after, layers } = await quantizeWeights(built, { format })
      expect(layers[0]!.decision).toBe('quantized')
      const { y } = await runModel(after, { x })
      expect([y!.dataType, y!.dims]).toEqual(['float16', [2, 24]])
    })
  })

  it('feeds MatMuls from an 8-bit table in QDQ: onnxruntime fused a file that failed when run', async () => {
    const built = model({ opset: 17 })
      .input('x', 'int64', ['n', 't'])
      .floats('table', [300, 32], randomValues(9600, 3))
      .floats('w', [32, 32], randomValues(1024, 4))
      .node('Gather', ['table', 'x'], ['e'])
      .node('MatMul', ['e', 'w'], ['y'])
      .output('y')
      .build()
    const inputs = {
      x: { dataType: 'int64', dims: [1, 3], data: BigInt64Array.of(0n, 299n, 7n) },
    } as const
    const { decibels, after } = await quality(built, { bits: 8, format: 'QDQ' }, inputs)
    expect(decibels).toBeGreaterThan(EXPECTED[8])
    const [x, y] = [await runModel(built, inputs), await runModel(after, inputs)]
    expect(sqnr(x['y']!, y['y']!)).toBeGreaterThan(30)
  })

  it.each([
    [4, 2, 4],
    [4, 64, undefined],
    [8, 16, 4],
    [8, 256, undefined],
  ] as const)('at %i bits computes for %i rows at level %s', async (bits, rows, level) => {
    const shapes = new Map([['x', { dataType: 'float32', dims: [1, rows, 96] } as const]])
    const { model: packed } = await quantizeWeights(oneMatMul().build(), { bits }, { shapes })
    const node = packed.graph.nodes.find(({ opType }) => opType === 'MatMulNBits')!
    expect(intAttribute(node, 'accuracy_level')).toBe(level)
  })

  it('rounds as onnxruntime dequantizes: the result is the product with the dequantized weight', async () => {
    const packed = await quantizeWeights(oneMatMul().build(), { accuracyLevel: 0 })
    const spread = await quantizeWeights(oneMatMul().build(), { format: 'QDQ' })
    const [a, b] = [
      await runModel(packed.model, feeds, REFERENCE),
      await runModel(spread.model, feeds, REFERENCE),
    ]
    expect(sqnr(b['y']!, a['y']!)).toBeGreaterThan(110)
  })

  it.each([8, 4] as const)(
    'shrinks convolutions to %i bits, but not in MatMulNBits',
    async (bits) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', [1, 8, 9, 9])
        .floats('w', [16, 8, 3, 3], randomValues(1152, 3))
        .floats('b', [16], randomValues(16, 4))
        .node('Conv', ['x', 'w', 'b'], ['y'])
        .output('y')
        .build()
      const { decibels } = await quality(
        built,
        { format: 'QDQ', bits },
        { x: randomTensor([1, 8, 9, 9], 5) },
      )
      expect(decibels).toBeGreaterThan(EXPECTED[bits])
      const refused = quantizeWeights(built, { bits, format: 'MatMulNBits' })
      await expect(refused).rejects.toMatchObject({
        code: 'quantization_not_applicable',
        details: { reasons: ['no_kernel'] },
      })
    },
  )

  it('adds a bias that is no vector after the product', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', [4, 64])
      .input('c', 'float32', [4, 24])
      .floats('w', [64, 24], randomValues(1536, 3))
      .node('Gemm', ['x', 'w', 'c'], ['y'])
      .output('y')
      .build()
    const inputs = { x: randomTensor([4, 64], 5), c: randomTensor([4, 24], 6, 30) }
    const { decibels, after } = await quality(built, { bits: 8 }, inputs)
    expect(decibels).toBeGreaterThan(38)
    expect(opTypes(after)).toEqual(['MatMulNBits', 'Add'])
  })

  it('adds a constant bias inside the kernel', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 't', 70])
      .floats('w', [70, 40], randomValues(2800, 2))
      .floats('c', [40], randomValues(40, 3, 30))
      .node('MatMul', ['x', 'w'], ['h'])
      .node('Add', ['c', 'h'], ['a'])
      .node('Relu', ['a'], ['y'])
      .output('y')
      .build()
    const { decibels, after } = await quality(built, { bits: 8 })
    expect(decibels).toBeGreaterThan(38)
    expect(opTypes(after)).toEqual(['MatMulNBits', 'Relu'])
  })

  it('gives single nodes other bits and leaves those that are excluded', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 64])
      .floats('w1', [64, 64], randomValues(4096, 3))
      .floats('w2', [64, 64], randomValues(4096, 4))
      .floats('w3', [64, 64], randomValues(4096, 5))
      .node('MatMul', ['x', 'w1'], ['a'])
      .named('first')
      .node('MatMul', ['a', 'w2'], ['b'])
      .node('MatMul', ['b', 'w3'], ['y'])
      .named('last')
      .output('y')
      .build()
    const { layers, diagnostics } = await quantizeWeights(built, {
      nodesToExclude: ['first'],
      bitsByNode: { last: 8 },
    })
    expect(layers.map(({ reason, weight }) => reason ?? weight?.bits)).toEqual([
      'excluded_by_name',
      4,
      8,
    ])
    expect(diagnostics).toMatchObject([{ code: 'excluded_by_name', node: 'first' }])
  })

  it('says what it leaves alone and why', async () => {
    const built = oneMatMul()
      .input('v', 'float32', [70, 40])
      .floats('batched', [2, 70, 8], randomValues(1120, 3))
      .floats('tiny', [70, 1], randomValues(70, 4))
      .floats(
        'nan',
        [70, 8],
        Float32Array.from({ length: 560 }, () => NaN),
      )
      .initializer('ints', tensorFromInts('int32', [70, 2], new Int32Array(140)))
      .input('n', 'int32', [2, 70])
      .floats('one', [1, 70], randomValues(70, 4))
      .node('MatMul', ['x', 'v'], ['activations'])
      .node('MatMul', ['x', 'batched'], ['b'])
      .node('MatMul', ['x', 'nan'], ['d'])
      .node('MatMul', ['n', 'ints'], ['e'])
      .node('MatMul', ['one', 'v'], ['f'])
      .build()
    const { layers, diagnostics } = await quantizeWeights(built)
    expect(layers.map(({ output, reason }) => [output, reason])).toEqual([
      ['y', undefined],
      ['b', 'batched_weight'],
      ['d', 'weight_not_finite'],
      ['e', 'weight_not_float'],
      ['f', 'weight_not_constant'],
    ])
    expect(diagnostics).toHaveLength(4)
  })

  it('leaves a weight where scales take more than they save', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 2])
      .floats('w', [2, 8], randomValues(16, 3))
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    await expect(quantizeWeights(built, { blockSize: 128 })).rejects.toMatchObject({
      details: { reasons: ['not_smaller'] },
    })
  })

  it('leaves recurrent layers float and says so', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['t', 'n', 70])
      .floats('wi', [1, 32, 70], randomValues(2240, 4))
      .floats('r', [1, 32, 8], randomValues(256, 5))
      .node('LSTM', ['x', 'wi', 'r'], ['h'], { hidden_size: 8 })
      .floats('w', [8, 4], randomValues(32, 6))
      .node('MatMul', ['h', 'w'], ['y'])
      .output('y')
      .build()
    const { layers, diagnostics } = await quantizeWeights(built)
    expect(layers).toMatchObject([
      { opType: 'LSTM', decision: 'float', reason: 'no_kernel' },
      { opType: 'MatMul', decision: 'quantized' },
    ])
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ code: 'no_kernel', opType: 'LSTM' }),
    )
  })

  it('does not guess the rank that a weight [1, K, N] lends', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32')
      .floats('w', [1, 70, 8], randomValues(560, 3))
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const outcome = (rank: number) =>
      quantizeWeights(
        built,
        {},
        {
          shapes: new Map([
            ...NO_SHAPES,
            ['x', { dataType: 'float32', dims: new Array<number>(rank).fill(70) }],
          ]),
        },
      )
    await expect(quantizeWeights(built)).rejects.toMatchObject({
      details: { reasons: ['rank_unknown'] },
    })
    await expect(outcome(2)).rejects.toMatchObject({ details: { reasons: ['gemm_form'] } })
    expect(opTypes((await outcome(3)).model)).toEqual(['MatMulNBits'])
  })

  it('reports sizes that the file bears out', async () => {
    const built = oneMatMul().build()
    const { layers, model: after } = await quantizeWeights(built, { blockSize: 16 })
    const sizes = [...after.graph.initializers.values()].map(({ data }) =>
      data.kind === 'bytes' ? data.bytes.length : 0,
    )
    const { bytesAfter, bytesBefore, sqnr: decibels } = layers[0]!.weight!
    expect(bytesAfter).toBe(sizes.reduce((sum, size) => sum + size))
    expect(bytesBefore).toBe(70 * 40 * 4)
    expect(decibels).toBeGreaterThan(18)
  })

  it('fetches external weights one at a time', async () => {
    const built = oneMatMul().build()
    const inner = built.graph.initializers.get('w')!
    const external = {
      ...inner,
      data: { kind: 'external', location: 'w.bin', offset: 0, length: 11200 } as const,
    }
    const outside = {
      ...built,
      graph: { ...built.graph, initializers: new Map([['w', external]]) },
    }
    const result = await quantizeWeights(
      outside,
      {},
      { load: (tensor) => Promise.resolve(tensor === external ? inner : tensor) },
    )
    expect(result.model).toEqual((await quantizeWeights(built)).model)
  })

  it.each([
    [{ bits: 3 }, 'bits 3'],
    [{ blockSize: 48 }, 'blockSize 48'],
    [{ bits: 2, format: 'QDQ' }, '2-bit'],
    [{ algorithm: 'best' }, 'algorithm best'],
    [{ opTypesToQuantize: ['Relu'] }, 'opTypesToQuantize Relu'],
  ])('refuses %o', async (options, message) => {
    const outcome = quantizeWeights(oneMatMul().build(), options as QuantizeWeightsOptions)
    await expect(outcome).rejects.toMatchObject({
      code: 'quantization_options_invalid',
      message: expect.stringContaining(message) as string,
    })
  })

  it('wants statistics for gptq and awq', async () => {
    for (const algorithm of ['gptq', 'awq'] as const) {
      await expect(quantizeWeights(oneMatMul().build(), { algorithm })).rejects.toMatchObject({
        code: 'quantization_statistics_missing',
      })
    }
  })
})
