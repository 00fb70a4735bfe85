// Networks whose features are rows: MatMuls of rank 2 with a Relu or a residual addition behind them,
// which onnxruntime fuses into float kernels where nothing keeps it from that.
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeVerified } from './quantize-verified.js'

const feeds = { x0: randomTensor([16, 32], 1) }

/** LayerNormalization, two MatMuls with Relu between them, and an addition around it all, twice. */
function residualRows(): Model {
  const builder = model({ opset: 17 }).input('x0', 'float32', ['n', 32])
  for (const i of [0, 1]) {
    builder
      .floats(`scale${i}`, [32], new Float32Array(32).fill(1))
      .floats(`up${i}`, [32, 96], randomValues(3072, 2 + i, 0.2))
      .floats(`down${i}`, [96, 32], randomValues(3072, 4 + i, 0.2))
      .node('LayerNormalization', [`x${i}`, `scale${i}`], [`norm${i}`])
      .node('MatMul', [`norm${i}`, `up${i}`], [`wide${i}`])
      .node('Relu', [`wide${i}`], [`active${i}`])
      .node('MatMul', [`active${i}`, `down${i}`], [`back${i}`])
      .node('Add', [`x${i}`, `back${i}`], [`x${i + 1}`])
  }
  return builder.output('x2', 'float32', ['n', 32]).build()
}

/** A MatMul whose Relu only a float operator reads. */
function reluForFloats(): Model {
  return model({ opset: 17 })
    .input('x0', 'float32', ['n', 32])
    .floats('w', [32, 24], randomValues(768, 7, 0.2))
    .node('MatMul', ['x0', 'w'], ['product'])
    .node('Relu', ['product'], ['active'])
    .node('Softmax', ['active'], ['y'])
    .output('y')
    .build()
}

async function quantized(built: Model, format: 'QDQ' | 'QOperator') {
  const statistics = await calibrated(built, [feeds])
  const result = await quantizeVerified({ model: built, statistics, options: { format }, optimize })
  const before = await runModel(built, feeds)
  for (const optimization of ['all', 'none'] as const) {
    const after = await runModel(result.model, feeds, { optimization })
    for (const [name, value] of Object.entries(before)) {
      expect(sqnr(value, after[name]!), optimization).toBeGreaterThan(25)
    }
  }
  const integer = result.layers.filter(({ decision }) => decision === 'integer')
  return { rounds: result.rounds, kernels: integer.map(({ kernel }) => kernel) }
}

describe.each(['QDQ', 'QOperator'] as const)('quantize_static of rows as %s', (format) => {
  it('keeps a residual addition apart from the MatMul before it', async () => {
    expect(await quantized(residualRows(), format)).toEqual({
      rounds: 1,
      kernels: Array(2).fill(['QLinearMatMul', 'MatMulIntegerToFloat']).flat(),
    })
  })

  it('writes integers where a Relu follows a MatMul, whoever reads it', async () => {
    expect(await quantized(reluForFloats(), format)).toEqual({
      rounds: 1,
      kernels: ['QLinearMatMul'],
    })
  })
})
