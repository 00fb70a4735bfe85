// gptq and awq against round to nearest on a whole transformer, by the error of its output on data
// that was not calibrated on. As in language models, a few channels of the activations are much
// larger than the others, and neighbouring channels share causes.
import { toBatches } from '@pare/datasets'
import { checkModel, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import type { WeightAlgorithm } from '@pare/recipe'
import { createRandom, type RuntimeTensor, tensorFromInts } from '@pare/tensor'
import { beforeAll, describe, expect, it } from 'vitest'

import { randomValues, runModel, sqnr } from '../testing.js'
import { collectGrams, gramPoints } from './collect-grams.js'
import { quantizeWeights } from './quantize-weights.js'
import { correlatedInputs, withOutliers } from './testing.js'

const WIDTH = 64
const HEADS = 4
const TOKENS = 16

/** Gains of a normalization: most near 1, three channels 15 to 30 times as large. */
function gains(seed: number): Float32Array {
  const { uniform } = createRandom(seed)
  const values = Float32Array.from({ length: WIDTH }, () => 0.6 + 0.8 * uniform())
  for (const i of [5, 23, 48]) values[i] = 15 + 15 * uniform()
  return values
}

/** Attention and an MLP, each behind a LayerNormalization and with a residual. */
function addBlock(to: ModelBuilder, x: string, seed: number): string {
  const n = (name: string) => `${name}${seed}`
  const weight = (name: string, [rows, columns]: readonly [number, number], k: number) =>
    to.floats(n(name), [rows, columns], randomValues(rows * columns, seed + k, rows ** -0.5))
  for (const [i, name] of ['wq', 'wk', 'wv', 'wo'].entries()) weight(name, [WIDTH, WIDTH], i + 1)
  weight('up', [WIDTH, 4 * WIDTH], 5)
  weight('down', [4 * WIDTH, WIDTH], 6)
  to.floats(n('g1'), [WIDTH], gains(seed + 7)).floats(n('g2'), [WIDTH], gains(seed + 8))
  to.node('LayerNormalization', [x, n('g1')], [n('ln1')], { axis: -1 })
  for (const name of ['q', 'k', 'v']) {
    to.node('MatMul', [n('ln1'), n(`w${name}`)], [n(name)])
      .node('Reshape', [n(name), 'split'], [n(`${name}s`)])
      .node('Transpose', [n(`${name}s`)], [n(`${name}h`)], {
        perm: name === 'k' ? [0, 2, 3, 1] : [0, 2, 1, 3],
      })
  }
  to.node('MatMul', [n('qh'), n('kh')], [n('scores')])
    .node('Mul', [n('scores'), 'scale'], [n('scaled')])
    .node('Softmax', [n('scaled')], [n('p')], { axis: -1 })
    .node('MatMul', [n('p'), n('vh')], [n('mixed')])
    .node('Transpose', [n('mixed')], [n('joined')], { perm: [0, 2, 1, 3] })
    .node('Reshape', [n('joined'), 'join'], [n('heads')])
    .node('MatMul', [n('heads'), n('wo')], [n('attended')])
    .node('Add', [x, n('attended')], [n('r1')])
    .node('LayerNormalization', [n('r1'), n('g2')], [n('ln2')], { axis: -1 })
    .node('MatMul', [n('ln2'), n('up')], [n('u')])
    .node('Relu', [n('u')], [n('a')])
    .node('MatMul', [n('a'), n('down')], [n('d')])
    .node('Add', [n('r1'), n('d')], [n('out')])
  return n('out')
}

function transformer(seed: number): Model {
  const built = model({ opset: 17 })
    .input('x', 'float32', ['n', TOKENS, WIDTH])
    .initializer('split', tensorFromInts('int64', [4], [0, TOKENS, HEADS, WIDTH / HEADS]))
    .initializer('join', tensorFromInts('int64', [3], [0, TOKENS, WIDTH]))
    .floats('scale', [], [(WIDTH / HEADS) ** -0.5 / 64])
    .floats('head', [WIDTH, 32], randomValues(WIDTH * 32, seed, WIDTH ** -0.5))
    .floats('g', [WIDTH], gains(seed))
  const last = addBlock(built, addBlock(built, 'x', seed + 100), seed + 200)
  return built
    .node('LayerNormalization', [last, 'g'], ['ln'], { axis: -1 })
    .node('MatMul', ['ln', 'head'], ['y'])
    .output('y')
    .build()
}

/** Sequences whose channels share causes, with outliers. */
function data(samples: number, seed: number): RuntimeTensor {
  const values = withOutliers(correlatedInputs(samples * TOKENS, WIDTH, seed), WIDTH, 4)
  return { dataType: 'float32', dims: [samples, TOKENS, WIDTH], data: values }
}

describe.each([1])('a transformer, seed %i, in 4 bits', (seed) => {
  const quality = new Map<WeightAlgorithm, number>()

  beforeAll(async () => {
    const built = transformer(seed)
    checkModel(built)
    const all = data(48, seed)
    const size = 32 * TOKENS * WIDTH
    const calibration = { ...all, dims: [32, TOKENS, WIDTH], data: slice(all, 0, size) }
    const test = { ...all, dims: [16, TOKENS, WIDTH], data: slice(all, size) }
    const expected = await runModel(built, { x: test })
    const grams = await collectGrams({
      model: built,
      points: gramPoints(built),
      runtime: onnxRuntime(),
      batches: toBatches([{ x: calibration }]),
    })
    for (const algorithm of ['rtn', 'gptq', 'awq'] as const) {
      const { model: quantized } = await quantizeWeights(built, { algorithm }, { grams })
      checkModel(quantized)
      const actual = await runModel(quantized, { x: test })
      quality.set(algorithm, sqnr(expected['y']!, actual['y']!))
    }
  })

  it('gains by gptq', () => {
    expect(quality.get('gptq')! - quality.get('rtn')!).toBeGreaterThan(6)
  })

  it('gains by awq', () => {
    expect(quality.get('awq')! - quality.get('rtn')!).toBeGreaterThan(6)
  })
})

function slice({ data }: RuntimeTensor, from: number, to?: number): Float32Array {
  return (data as Float32Array).slice(from, to)
}
