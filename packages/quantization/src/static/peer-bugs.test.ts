// Mistakes of onnxruntime's quantizer that must not be repeated here.
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeStatic } from './quantize-static.js'

const feeds = { x: randomTensor([4, 6, 8], 1) }

/** A product of which the channels differ by a factor of 1000: another axis cannot hold them. */
function product(leading: readonly number[]): Model {
  const dims = [...leading, 8, 10]
  const count = dims.reduce((a, b) => a * b, 1)
  const weights = randomValues(count, 2).map((w, i) => w * 10 ** ((i % 10) / 3))
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 6, 8])
    .floats('w', dims, weights)
    .node('MatMul', ['x', 'w'], ['y'])
    .output('y')
    .build()
}

async function quantized(built: Model) {
  return quantizeStatic(built, await calibrated(built, [feeds]))
}

describe('MatMul with a weight of rank 3, whose axis 1 is not its channels', () => {
  it.each([[[]], [[1]], [[1, 1]]])('has one scale per column, with leading %j', async (leading) => {
    const built = product(leading)
    const { model: result } = await quantized(built)
    const scales = [...result.graph.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'float32' && dims.length === 1 && dims[0] === 10,
    )
    expect(scales.length).toBeGreaterThan(0)
    const [before, after] = [await runModel(built, feeds), await runModel(result, feeds)]
    for (let channel = 0; channel < 10; channel++) {
      const of = (values: Float32Array) => values.filter((_, i) => i % 10 === channel)
      const [x, y] = [before['y']!, after['y']!]
      const error = sqnr(
        { ...x, data: of(x.data as Float32Array) },
        { ...y, data: of(y.data as Float32Array) },
      )
      expect(error, `channel ${channel}`).toBeGreaterThan(30)
    }
  })

  it('stays float where it has a matrix per batch, which no integer kernel takes', async () => {
    const twoLayers = model({ opset: 17 })
      .input('x', 'float32', [4, 6, 8])
      .floats('v', [8, 8], randomValues(64, 3))
      .floats('w', [4, 8, 10], randomValues(320, 4))
      .node('MatMul', ['x', 'v'], ['h'])
      .node('MatMul', ['h', 'w'], ['y'])
      .output('y')
      .build()
    const { layers } = await quantized(twoLayers)
    expect(layers[1]).toMatchObject({ decision: 'float', reason: 'batched_weight' })
  })
})

describe('Gemm with alpha and beta', () => {
  it.each([
    [2, 1],
    [1, 0.5],
    [0.25, 4],
    [1, 0],
  ])('means the same with alpha %d and beta %d', async (alpha, beta) => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 6, 8])
      .floats('w', [48, 10], randomValues(480, 5))
      .floats('c', [10], randomValues(10, 6, 20))
      .node('Flatten', ['x'], ['f'])
      .node('Gemm', ['f', 'w', 'c'], ['y'], {
        alpha: { type: 'float', value: alpha },
        beta: { type: 'float', value: beta },
      })
      .output('y')
      .build()
    const { model: result } = await quantized(built)
    const before = await runModel(built, feeds)
    for (const optimization of ['all', 'none'] as const) {
      const after = await runModel(result, feeds, { optimization })
      expect(sqnr(before['y']!, after['y']!), optimization).toBeGreaterThan(30)
    }
  })
})
