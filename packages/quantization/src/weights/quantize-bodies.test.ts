// Weight quantization inside bodies of If, Loop and Scan.
import { toBatches } from '@pare/datasets'
import { checkModel, type Graph, type Model, subgraphsOf } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type RuntimeTensor, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { collectGrams, gramPoints } from './collect-grams.js'
import type { QuantizeWeightsOptions } from './options.js'
import { quantizeWeights } from './quantize-weights.js'

/** An embedding, a MatMul with a bias and a Gemm with one; `shared` is the weight of both branches. */
function branch(name: string, transB: 0 | 1): Graph {
  const n = (value: string) => `${value}_${name}`
  return model()
    .floats('own', [32, 48], randomValues(32 * 48, transB + 3))
    .floats(n('bias'), [48], randomValues(48, 4))
    .floats(n('last'), transB === 1 ? [16, 64] : [64, 16], randomValues(1024, transB + 5, 0.2))
    .floats(n('lastBias'), [16], randomValues(16, 6))
    .node('Gather', ['table', 'ids'], [n('entries')])
    .node('MatMul', [n('entries'), 'own'], [n('m')])
    .node('Add', [n('m'), n('bias')], [n('a')])
    .node('MatMul', [n('a'), 'shared'], [n('s')])
    .node('Gemm', [n('s'), n('last'), n('lastBias')], [n('g')], { transB })
    .output(n('g'))
    .graph()
}

function branches(): Model {
  return model({ opset: 17 })
    .input('ids', 'int64', ['n'])
    .input('flag', 'bool', [])
    .floats('table', [96, 32], randomValues(96 * 32, 1))
    .floats('shared', [48, 64], randomValues(48 * 64, 2))
    .node('If', ['flag'], ['y'], { then_branch: branch('a', 0), else_branch: branch('b', 1) })
    .output('y')
    .build()
}

function feeds(flag: number): Readonly<Record<string, RuntimeTensor>> {
  return {
    flag: { dataType: 'bool', dims: [], data: Uint8Array.of(flag) },
    ids: {
      dataType: 'int64',
      dims: [5],
      data: BigInt64Array.from([3n, 90n, 17n, 0n, 44n]),
    },
  }
}

function bodyTypes({ graph }: Model): readonly (readonly string[])[] {
  return subgraphsOf(graph.nodes.find(({ opType }) => opType === 'If')!).map(({ nodes }) =>
    nodes.map(({ opType }) => opType),
  )
}

describe('quantizeWeights in bodies', () => {
  it.each([
    { bits: 8, format: 'MatMulNBits', least: 35 },
    { bits: 4, format: 'MatMulNBits', least: 13 },
    { bits: 4, format: 'MatMulNBits', algorithm: 'hqq', least: 13 },
    { bits: 8, format: 'QDQ', least: 35 },
    { bits: 4, format: 'QDQ', least: 13 },
  ] as const)('quantizes every layer of both branches: %o', async ({ least, ...options }) => {
    const built = branches()
    checkModel(built)
    const { model: quantized, layers } = await quantizeWeights(built, options)
    checkModel(quantized)
    expect(layers.map(({ decision }) => decision)).toEqual(new Array(8).fill('quantized'))
    for (const flag of [0, 1]) {
      const [a, b] = [await runModel(built, feeds(flag)), await runModel(quantized, feeds(flag))]
      expect(sqnr(a['y']!, b['y']!)).toBeGreaterThan(least)
    }
    const floats = [...quantized.graph.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'float32' && dims.join() === '48,64',
    )
    expect(floats).toEqual([])
  })

  it('writes what both branches read once, and two weights of one name twice', async () => {
    const { graph } = (await quantizeWeights(branches())).model
    const packed = [...graph.initializers.values()].filter(({ dataType }) => dataType === 'uint8')
    const shapes = packed.map(({ dims }) => dims.join())
    expect(shapes.filter((shape) => shape === '64,2,16')).toHaveLength(1)
    expect(shapes.filter((shape) => shape === '48,1,16')).toHaveLength(2)
  })

  it('lets onnxruntime fuse DequantizeLinear inside the bodies', async () => {
    const { model: quantized } = await quantizeWeights(branches(), { format: 'QDQ' })
    const optimized = decodeModel(await optimize(encodeModel(quantized)))
    for (const types of bodyTypes(optimized)) expect(types).toContain('MatMulNBits')
  })

  it.each(['gptq', 'awq'] as const)(
    '%s rounds there to nearest, and says so',
    async (algorithm) => {
      const built = model({ opset: 17 })
        .input('x', 'float32', ['n', 32])
        .input('flag', 'bool', [])
        .floats('w', [32, 32], randomValues(1024, 1))
        .node('MatMul', ['x', 'w'], ['h'])
        .node('If', ['flag'], ['y'], { then_branch: inner('a'), else_branch: inner('b') })
        .output('y')
        .build()
      const options: QuantizeWeightsOptions = { algorithm }
      const grams = await collectGrams({
        model: built,
        points: gramPoints(built, options),
        runtime: onnxRuntime(),
        batches: toBatches([{ x: randomTensor([64, 32], 7), flag: feeds(1)['flag']! }]),
      })
      const {
        model: quantized,
        layers,
        diagnostics,
      } = await quantizeWeights(built, options, { grams })
      checkModel(quantized)
      expect(layers.map(({ weight }) => weight?.algorithm)).toEqual([algorithm, 'rtn', 'rtn'])
      const codes = diagnostics.map(({ code }) => code)
      expect(codes.filter((code) => code === 'rounded_to_nearest')).toHaveLength(2)
    },
  )

  it('enters a Loop, where the weight is read in every iteration', async () => {
    const body = model()
      .input('i', 'int64', [])
      .input('go', 'bool', [])
      .input('state', 'float32', [2, 32])
      .floats('w', [32, 32], randomValues(1024, 3, 0.2))
      .node('MatMul', ['state', 'w'], ['m'])
      .node('Tanh', ['m'], ['next'])
      .node('Identity', ['go'], ['on'])
      .output('on', 'bool', [])
      .output('next', 'float32', [2, 32])
      .graph()
    const built = model({ opset: 17 })
      .input('x', 'float32', [2, 32])
      .initializer('times', tensorFromInts('int64', [], [3]))
      .node('Loop', ['times', '', 'x'], ['y'], { body })
      .output('y', 'float32', [2, 32])
      .build()
    const { model: quantized } = await quantizeWeights(built, { bits: 8 })
    checkModel(quantized)
    const x = randomTensor([2, 32], 5)
    const [a, b] = [await runModel(built, { x }), await runModel(quantized, { x })]
    expect(sqnr(a['y']!, b['y']!)).toBeGreaterThan(30)
  })
})

function inner(name: string): Graph {
  return model()
    .floats(`w_${name}`, [32, 32], randomValues(1024, name.length + 8))
    .node('MatMul', ['h', `w_${name}`], [`y_${name}`])
    .output(`y_${name}`)
    .graph()
}
