import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { FLOAT8 } from '@pare/recipe'
import { toFloat32, toNumbers } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { RealRange } from '../integers/params.js'
import { randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { float8ObservationPoints, quantizeFloat8 } from './float8.js'

const x = randomTensor([4, 32], 1)
const ranges = new Map<string, RealRange>([
  ['x', { min: -4.5, max: 4.5 }],
  ['h', { min: 0, max: 40 }],
])

const rangeOf = (value: string) => ranges.get(value)

/** Two layers of one input, and one behind them. */
function network(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 32])
    .floats('w1', [32, 16], randomValues(512, 2))
    .floats('w2', [16, 32], randomValues(512, 3, 0.1))
    .floats('b2', [16], randomValues(16, 4))
    .floats('w3', [16, 8], randomValues(128, 5))
    .node('MatMul', ['x', 'w1'], ['a'])
    .node('Gemm', ['x', 'w2', 'b2'], ['b'], { transB: 1 })
    .node('Mul', ['a', 'b'], ['p'])
    .node('Relu', ['p'], ['h'])
    .node('MatMul', ['h', 'w3'], ['y'])
    .output('y')
    .build()
}

describe('quantizeFloat8', () => {
  it.each([true, false])('keeps what the model computes, per channel: %s', async (perChannel) => {
    const built = network()
    const { model: quantized, layers } = quantizeFloat8(built, rangeOf, { perChannel })
    checkModel(quantized)
    expect(layers.map(({ decision }) => decision)).toEqual([FLOAT8, FLOAT8, FLOAT8])
    const feeds = { x }
    const [a, b] = [
      await runModel(built, feeds),
      await runModel(quantized, feeds, { optimization: 'none' }),
    ]
    // Three bits of mantissa: 31 dB for one rounding, here five.
    expect(sqnr(a['y']!, b['y']!)).toBeGreaterThan(22)
  })

  it('stores weights in 8 bits and quantizes a shared input once', () => {
    const { graph } = quantizeFloat8(network(), rangeOf).model
    const types = [...graph.initializers.values()].filter(({ dims }) => dims.length === 2)
    expect(types.map(({ dataType }) => dataType)).toEqual([FLOAT8, FLOAT8, FLOAT8])
    expect(graph.nodes.filter(({ opType }) => opType === 'QuantizeLinear')).toHaveLength(2)
  })

  it('is refused by onnxruntime on a CPU, which makes integer kernels of it', async () => {
    const { model: quantized } = quantizeFloat8(network(), rangeOf)
    await expect(runModel(quantized, { x })).rejects.toThrow(/float8e4m3fn/)
  })

  it('leaves float what was not calibrated or is excluded, and says so', () => {
    const built = network()
    const { layers, diagnostics } = quantizeFloat8(
      built,
      (value) => (value === 'x' ? ranges.get(value) : undefined),
      {
        opTypesToQuantize: ['MatMul'],
      },
    )
    expect(layers.map(({ reason }) => reason)).toEqual([
      undefined,
      'excluded_by_type',
      'no_calibration_range',
    ])
    expect(diagnostics).toHaveLength(2)
    expect(() => quantizeFloat8(built, () => undefined)).toThrow(
      expect.objectContaining({ code: 'quantization_not_applicable' }) as Error,
    )
  })

  it('asks calibration for the inputs of its layers', () => {
    expect(float8ObservationPoints(network())).toEqual(['x', 'h'])
  })

  it('never saturates a weight, and errs by a sixteenth at most', () => {
    const value = fc.float({ min: -1e6, max: 1e6, noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(fc.array(value, { minLength: 8, maxLength: 8 }), (values) => {
        fc.pre(values.some((one) => Math.abs(one) > 1e-30))
        const built = model({ opset: 19 })
          .input('x', 'float32', ['n', 8])
          .floats('w', [8, 1], values)
          .node('MatMul', ['x', 'w'], ['y'])
          .output('y')
          .build()
        const { graph } = quantizeFloat8(built, rangeOf).model
        const codes = [...graph.initializers.values()].find(({ dims }) => dims.length === 2)!
        const scale = [...graph.initializers.values()].find(
          ({ dataType, dims }) => dataType === 'float32' && dims.length === 1,
        )!
        const [q, [s]] = [toNumbers(codes) as Float32Array, toFloat32(scale)]
        for (const [i, w] of values.entries()) {
          expect(Number.isFinite(q[i])).toBe(true)
          // Half a step of a 4-bit significand; below 2^−6 the steps are 2^−9.
          const allowed = Math.max(Math.abs(w) / 16, s! * 2 ** -10) * (1 + 1e-5)
          expect(Math.abs(q[i]! * s! - w)).toBeLessThanOrEqual(allowed)
        }
      }),
    )
  })
})
