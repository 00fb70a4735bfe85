import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { matchTensors } from './match-tensors.js'
import { measureLayers } from './measure-layers.js'

const float = model()
  .input('x', 'float32', ['n', 2])
  .floats('w', [2, 2], [1, 0, 0, 1])
  .node('MatMul', ['x', 'w'], ['h'])
  .named('first')
  .node('Relu', ['h'], ['r'])
  .named('second')
  .node('Identity', ['r'], ['y'])
  .output('y', 'float32', ['n', 2])
  .build()

/** The same with `r` rounded to whole numbers. */
const quantized = model()
  .input('x', 'float32', ['n', 2])
  .floats('w', [2, 2], [1, 0, 0, 1])
  .floats('s', [], [1])
  .initializer('z', tensorFromInts('uint8', [], [0]))
  .node('MatMul', ['x', 'w'], ['h'])
  .node('Relu', ['h'], ['r'])
  .node('QuantizeLinear', ['r', 's', 'z'], ['q'])
  .node('DequantizeLinear', ['q', 's', 'z'], ['d'])
  .node('Identity', ['d'], ['y'])
  .output('y', 'float32', ['n', 2])
  .build()

describe('matchTensors', () => {
  it('takes the dequantized form of a quantized tensor', () => {
    expect(matchTensors(float, quantized)).toEqual([
      { original: 'h', result: 'h', node: 'first', opType: 'MatMul' },
      { original: 'r', result: 'd', node: 'second', opType: 'Relu' },
      { original: 'y', result: 'y', node: 'y', opType: 'Identity' },
    ])
  })

  it('leaves out tensors that the result no longer has, unless it is told their name', () => {
    const renamed = model().input('x').node('MatMul', ['x', 'w'], ['h2']).output('h2').build()
    expect(matchTensors(float, renamed)).toEqual([])
    expect(matchTensors(float, renamed, { h: 'h2' }).map(({ result }) => result)).toEqual(['h2'])
  })
})

describe('measureLayers', () => {
  const feeds = {
    x: { dataType: 'float32', dims: [2, 2], data: Float32Array.of(1, 2.25, 3, -4) },
  } as const
  const measure = (budgetBytes: number) =>
    measureLayers({
      runtime: onnxRuntime(),
      original: float,
      result: quantized,
      pairs: matchTensors(float, quantized),
      shapeOf: () => [2, 2],
      batches: [feeds, feeds],
      session: { intraOpThreads: 1 },
      budgetBytes,
    })

  it('gives the error of each tensor, worst first', async () => {
    const layers = await measure(1 << 20)
    expect(layers.map(({ tensor }) => tensor)).toEqual(['r', 'y', 'h'])
    // Σx² = 1 + 2.25² + 9, Σ(x − y)² = 0.25²
    expect(layers[0]?.sqnr_db).toBeCloseTo(10 * Math.log10((1 + 2.25 ** 2 + 9) / 0.0625), 6)
    expect(layers[0]).toMatchObject({ node: 'second', op_type: 'Relu', max_abs_difference: 0.25 })
    expect(layers[2]).toMatchObject({ identical: true, sqnr_db: null })
  })

  it('gives the same when only one tensor fits into memory at a time', async () => {
    expect(await measure(1)).toEqual(await measure(1 << 20))
  })
})
