// Weights of float16 models inside bodies, where onnxruntime takes scales that it casts for zeros.
import type { Graph, Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import {
  decodeFloat16,
  encodeFloat16,
  type RuntimeTensor,
  tensorFromFloats,
  tensorFromInts,
} from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomValues, runModel, sqnr } from '../testing.js'
import { quantizeWeights } from './quantize-weights.js'

const narrow = (dims: readonly number[], seed: number, scale: number) =>
  tensorFromFloats(
    'float16',
    dims,
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      seed,
      scale,
    ),
  )

/** Layers between operators without float16 kernels: a MatMul, and a Gemm with its bias. */
function body(transB: 0 | 1): Graph {
  return model()
    .input('i', 'int64', [])
    .input('go', 'bool', [])
    .input('state', 'float16', ['n', 64])
    .initializer('w', narrow([64, 64], 3, 0.2))
    .initializer('u', narrow([64, 64], 4, 0.2))
    .initializer('b', narrow([64], 5, 0.5))
    .node('Tanh', ['state'], ['bounded'])
    .node('MatMul', ['bounded', 'w'], ['product'])
    .node('Tanh', ['product'], ['again'])
    .node('Gemm', ['again', 'u', 'b'], ['sum'], { transB })
    .node('Tanh', ['sum'], ['next'])
    .node('Identity', ['go'], ['on'])
    .output('on', 'bool', [])
    .output('next', 'float16', ['n', 64])
    .graph()
}

function looped(transB: 0 | 1): Model {
  return model({ opset: 17 })
    .input('x', 'float16', ['n', 64])
    .initializer('times', tensorFromInts('int64', [], [2]))
    .node('Loop', ['times', '', 'x'], ['y'], { body: body(transB) })
    .output('y', 'float16', ['n', 64])
    .build()
}

const x: RuntimeTensor = {
  dataType: 'float16',
  dims: [4, 64],
  data: encodeFloat16(randomValues(256, 1)),
}

describe('quantizeWeights of float16 bodies', () => {
  it.each([
    { bits: 8, format: 'QDQ', transB: 0 },
    { bits: 4, format: 'QDQ', transB: 1 },
    { bits: 4, format: 'QDQ', transB: 0, symmetric: true },
    { bits: 4, format: 'MatMulNBits', transB: 1 },
  ] as const)('computes the same with and without fusion: %o', async ({ transB, ...options }) => {
    const { model: quantized, layers } = await quantizeWeights(looped(transB), options)
    expect(layers.map(({ decision }) => decision)).toEqual(['quantized', 'quantized'])
    const outputs = []
    for (const optimization of ['all', 'none'] as const) {
      const { y } = await runModel(quantized, { x }, { optimization })
      outputs.push(y!)
    }
    const [before, fused, plain] = [(await runModel(looped(transB), { x }))['y']!, ...outputs]
    expect(sqnr16(before, plain!)).toBeGreaterThan(options.bits === 8 ? 30 : 10)
    expect(sqnr16(plain!, fused!)).toBeGreaterThan(20)
  })
})

function sqnr16(a: RuntimeTensor, b: RuntimeTensor): number {
  const wide = (tensor: RuntimeTensor): RuntimeTensor => ({
    ...tensor,
    dataType: 'float32',
    data: decodeFloat16(tensor.data as Uint16Array),
  })
  return sqnr(wide(a), wide(b))
}
