import { toBatches } from '@pare/datasets'
import { attr, checkModel, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import type { RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { collectGrams, gramPoints } from './collect-grams.js'
import type { QuantizeWeightsOptions } from './options.js'
import { quantizeWeights } from './quantize-weights.js'
import { correlatedInputs, withOutliers } from './testing.js'

const runtime = onnxRuntime()
const K = 64

function inputs(seed: number): RuntimeTensor {
  const data = withOutliers(correlatedInputs(40, K, seed), K, 30)
  return { dataType: 'float32', dims: [40, K], data }
}

const feeds = { x: inputs(1) }

/** A vector that makes some columns large, as the scales of LayerNormalization in language models. */
const gains = Float32Array.from({ length: K }, (_, i) => (i % 16 === 5 ? 40 : 1))

function withLayer(start: (builder: ModelBuilder) => ModelBuilder): Model {
  return start(model({ opset: 17 }).input('x', 'float32', ['n', K]))
    .floats('w', [K, 32], randomValues(K * 32, 3))
    .node('MatMul', ['v', 'w'], ['y'])
    .named('layer')
    .output('y', 'float32', ['n', 32])
    .build()
}

async function compare(built: Model, options: QuantizeWeightsOptions = {}) {
  const points = gramPoints(built)
  const grams = await collectGrams({ model: built, points, runtime, batches: toBatches([feeds]) })
  const quantize = (algorithm: 'rtn' | 'awq' | 'gptq') =>
    quantizeWeights(built, { algorithm, accuracyLevel: 0, ...options }, { grams })
  const [rtn, awq, gptq] = [await quantize('rtn'), await quantize('awq'), await quantize('gptq')]
  const expected = (await runModel(built, feeds))['y']!
  const decibels = async ({ model: after }: { model: Model }) => {
    checkModel(after)
    return sqnr(expected, (await runModel(after, feeds))['y']!)
  }
  return {
    awq,
    rtn: await decibels(rtn),
    awqDecibels: await decibels(awq),
    gptqDecibels: await decibels(gptq),
  }
}

function opTypes({ model: { graph } }: { model: Model }): readonly string[] {
  return graph.nodes.map(({ opType }) => opType)
}

const PRODUCERS: Readonly<Record<string, (builder: ModelBuilder) => ModelBuilder>> = {
  LayerNormalization: (b) =>
    b
      .floats('g', [K], gains)
      .floats('o', [K], randomValues(K, 5))
      .node('LayerNormalization', ['x', 'g', 'o'], ['v']),
  'Mul and Add': (b) =>
    b
      .floats('g', [K], gains)
      .floats('o', [K], randomValues(K, 5))
      .node('Mul', ['g', 'x'], ['u'])
      .node('Add', ['u', 'o'], ['v']),
  'Gemm and Relu': (b) =>
    b
      .floats(
        'a',
        [K, K],
        randomValues(K * K, 6).map((value, i) => value * gains[i % K]!),
      )
      .floats('o', [K], randomValues(K, 5))
      .node('Gemm', ['x', 'a', 'o'], ['u'], { beta: attr.float(2) })
      .node('Relu', ['u'], ['v']),
  'transposed Gemm': (b) =>
    b
      .floats(
        'a',
        [K, K],
        randomValues(K * K, 6).map((value, i) => value * gains[Math.floor(i / K)]!),
      )
      .node('Gemm', ['x', 'a'], ['v'], { transB: 1 }),
}

describe('awq', () => {
  it('errs less than round to nearest where some inputs are large, with a Mul', async () => {
    const built = withLayer((b) => b.node('Abs', ['x'], ['v']))
    const { awq, rtn, awqDecibels, gptqDecibels } = await compare(built)
    expect(opTypes(awq)).toEqual(['Abs', 'Mul', 'MatMulNBits'])
    expect(awq.diagnostics.map(({ code }) => code)).toEqual(['awq_mul_inserted'])
    expect(awqDecibels).toBeGreaterThan(rtn + 2)
    expect(gptqDecibels).toBeGreaterThan(rtn + 2)
  })

  it('inserts no Mul when asked not to, and says so', async () => {
    const built = withLayer((b) => b.node('Abs', ['x'], ['v']))
    const { awq, rtn, awqDecibels } = await compare(built, { insertMul: false })
    expect(opTypes(awq)).toEqual(['Abs', 'MatMulNBits'])
    expect(awq.diagnostics.map(({ code }) => code)).toEqual(['awq_not_folded'])
    expect(awqDecibels).toBeGreaterThanOrEqual(rtn)
  })

  it('inserts no Mul where no input is larger than others', async () => {
    const even = randomTensor([400, K], 2)
    const built = withLayer((b) => b.node('Abs', ['x'], ['v']))
    const points = gramPoints(built)
    const grams = await collectGrams({
      model: built,
      points,
      runtime,
      batches: toBatches([{ x: even }]),
    })
    const awq = await quantizeWeights(built, { algorithm: 'awq' }, { grams })
    expect(opTypes(awq)).toEqual(['Abs', 'MatMulNBits'])
    expect(awq.diagnostics).toEqual([])
  })

  it.each(Object.keys(PRODUCERS))('folds the scale into %s', async (name) => {
    const built = withLayer(PRODUCERS[name]!)
    const options = { nodesToExclude: ['u', 'v'] }
    const { awq, rtn, awqDecibels } = await compare(built, options)
    expect(opTypes(awq)).toEqual(
      built.graph.nodes.map(({ opType }) => (opType === 'MatMul' ? 'MatMulNBits' : opType)),
    )
    expect(awq.diagnostics.map(({ code }) => code)).not.toContain('awq_mul_inserted')
    expect(awqDecibels).toBeGreaterThan(rtn + 1)
  })

  it('does not change a value that others read', async () => {
    const built = withLayer((b) =>
      PRODUCERS['Mul and Add']!(b).node('Relu', ['v'], ['other']).output('other'),
    )
    const { awq } = await compare(built)
    expect(opTypes(awq)).toContain('Mul')
    expect(awq.diagnostics.map(({ code }) => code)).toEqual(['awq_mul_inserted'])
    const [before, after] = [await runModel(built, feeds), await runModel(awq.model, feeds)]
    expect(after['other']).toEqual(before['other'])
  })

  it('scales layers that share their input together', async () => {
    const built = withLayer((b) =>
      PRODUCERS['LayerNormalization']!(b)
        .floats('w2', [K, 16], randomValues(K * 16, 8))
        .node('MatMul', ['v', 'w2'], ['z'])
        .output('z'),
    )
    const { awq, rtn, awqDecibels } = await compare(built)
    expect(opTypes(awq)).toEqual(['LayerNormalization', 'MatMulNBits', 'MatMulNBits'])
    expect(awqDecibels).toBeGreaterThan(rtn + 1)
    const [before, after] = [await runModel(built, feeds), await runModel(awq.model, feeds)]
    expect(sqnr(before['z']!, after['z']!)).toBeGreaterThan(15)
  })

  it('leaves a weight that is read with other inputs too', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', K])
      .floats('w', [K, K], randomValues(K * K, 3, 0.2))
      .node('MatMul', ['x', 'w'], ['h'])
      .node('MatMul', ['h', 'w'], ['y'])
      .output('y')
      .build()
    const { awq, rtn, gptqDecibels } = await compare(built)
    expect(awq.diagnostics.map(({ code }) => code)).toEqual([
      'awq_weight_shared',
      'awq_weight_shared',
    ])
    expect(opTypes(awq)).toEqual(['MatMulNBits', 'MatMulNBits'])
    expect(gptqDecibels).toBeGreaterThan(rtn)
  })
})

describe('gptq', () => {
  it('rounds what has no statistics, and says so', async () => {
    const built = withLayer((b) => b.node('Abs', ['x'], ['v']))
    const grams = { samples: 1, inputs: new Map() }
    const { layers, diagnostics } = await quantizeWeights(built, { algorithm: 'gptq' }, { grams })
    expect(layers[0]!.weight!.algorithm).toBe('rtn')
    expect(diagnostics.map(({ code }) => code)).toEqual(['rounded_to_nearest'])
  })

  it('is the same however often it runs', async () => {
    const built = withLayer((b) => b.node('Abs', ['x'], ['v']))
    const points = gramPoints(built)
    const grams = await collectGrams({ model: built, points, runtime, batches: toBatches([feeds]) })
    const options = { algorithm: 'gptq', actOrder: true } as const
    const once = await quantizeWeights(built, options, { grams })
    expect(await quantizeWeights(built, options, { grams })).toEqual(once)
  })
})
