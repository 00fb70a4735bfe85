import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { readBack } from '../static/read-back.js'
import { optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeDynamic } from './quantize-dynamic.js'

const feeds = { x: randomTensor([3, 5, 32], 1) }

/** Two MatMuls that share their input and a third with its own. */
function attentionLike(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 't', 32])
    .floats('wq', [32, 16], randomValues(512, 2))
    .floats('wk', [32, 16], randomValues(512, 3))
    .floats('wo', [16, 8], randomValues(128, 4))
    .floats('b', [8], randomValues(8, 5))
    .node('MatMul', ['x', 'wq'], ['q'])
    .node('MatMul', ['x', 'wk'], ['k'])
    .node('Mul', ['q', 'k'], ['m'])
    .node('MatMul', ['m', 'wo'], ['o'])
    .node('Add', ['o', 'b'], ['y'])
    .output('y')
    .build()
}

async function kernels(built: Model): Promise<readonly (string | undefined)[]> {
  const { model: quantized, layers } = quantizeDynamic(built)
  return (await readBack(quantized, layers, optimize)).layers.map(({ kernel }) => kernel)
}

describe('quantizeDynamic', () => {
  it.each([{}, { perChannel: false }, { reduceRange: true }, { isa: 'vnni' }] as const)(
    'computes nearly what the float model computes, with %o',
    async (options) => {
      const built = attentionLike()
      const { model: quantized } = quantizeDynamic(built, options)
      checkModel(quantized)
      const [before, after] = [await runModel(built, feeds), await runModel(quantized, feeds)]
      expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(25)
    },
  )

  it('writes what onnxruntime fuses, measuring a shared input once', async () => {
    expect(await kernels(attentionLike())).toEqual([
      'MatMulIntegerToFloat',
      'MatMulIntegerToFloat',
      'DynamicQuantizeMatMul',
    ])
  })

  it('takes Gemm apart, with its transposition, alpha and beta', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 32])
      .floats('w', [8, 32], randomValues(256, 2))
      .floats('c', [8], randomValues(8, 3, 10))
      .node('Gemm', ['x', 'w', 'c'], ['y'], {
        transB: 1,
        alpha: { type: 'float', value: 0.5 },
        beta: { type: 'float', value: 3 },
      })
      .output('y')
      .build()
    const input = { x: randomTensor([4, 32], 1) }
    const { model: quantized } = quantizeDynamic(built)
    const [before, after] = [await runModel(built, input), await runModel(quantized, input)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
    expect(await kernels(built)).toEqual(['DynamicQuantizeMatMul'])
  })

  it('turns LSTM into the integer LSTM of onnxruntime, both directions', async () => {
    const hidden = 12
    const built = model({ opset: 17 })
      .input('x', 'float32', ['t', 'n', 32])
      .floats('w', [2, 4 * hidden, 32], randomValues(2 * 48 * 32, 2, 0.2))
      .floats('r', [2, 4 * hidden, hidden], randomValues(2 * 48 * hidden, 3, 0.2))
      .floats('b', [2, 8 * hidden], randomValues(2 * 96, 4, 0.1))
      .node('LSTM', ['x', 'w', 'r', 'b'], ['y'], {
        hidden_size: hidden,
        direction: 'bidirectional',
      })
      .output('y')
      .build()
    const { model: quantized, layers } = quantizeDynamic(built)
    expect(layers).toMatchObject([{ opType: 'LSTM', decision: 'integer' }])
    const [before, after] = [await runModel(built, feeds), await runModel(quantized, feeds)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(25)
  })

  it('leaves GRU float and says so', () => {
    const built = attentionLike()
    const gru = model({ opset: 17 })
      .input('x', 'float32', ['t', 'n', 32])
      .floats('w', [1, 36, 32], randomValues(36 * 32, 2))
      .floats('r', [1, 36, 12], randomValues(36 * 12, 3))
      .floats('wo', [12, 4], randomValues(48, 3))
      .node('GRU', ['x', 'w', 'r'], ['', 'h'], { hidden_size: 12 })
      .node('MatMul', ['h', 'wo'], ['y'])
      .output('y')
      .build()
    expect(quantizeDynamic(gru).diagnostics).toEqual([
      expect.objectContaining({ code: 'no_kernel', opType: 'GRU' }),
    ])
    expect(quantizeDynamic(built).diagnostics).toEqual([])
  })

  it('leaves convolutions float unless they are asked for', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 3, 8, 8])
      .floats('w', [8, 3, 3, 3], randomValues(216, 1))
      .floats('b', [8], randomValues(8, 2))
      .node('Conv', ['x', 'w', 'b'], ['y'], { pads: [1, 1, 1, 1] })
      .output('y')
      .build()
    expect(() => quantizeDynamic(built)).toThrow(
      expect.objectContaining({ code: 'quantization_not_applicable' }) as Error,
    )
    const input = { x: randomTensor([2, 3, 8, 8], 1) }
    const { model: quantized } = quantizeDynamic(built, { opTypesToQuantize: ['Conv'] })
    const [before, after] = [await runModel(built, input), await runModel(quantized, input)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })
})
