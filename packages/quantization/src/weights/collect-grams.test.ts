import { toBatches } from '@pare/datasets'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues } from '../testing.js'
import { collectGrams, gramPoints } from './collect-grams.js'
import { gramOf } from './testing.js'

const runtime = onnxRuntime()

/** Two layers read x, one reads what is made of it; the product of activations reads neither. */
const built = model({ opset: 17 })
  .input('x', 'float32', ['n', 't', 8])
  .floats('a', [8, 12], randomValues(96, 1))
  .floats('b', [8, 12], randomValues(96, 2))
  .floats('c', [12, 4], randomValues(48, 3))
  .node('MatMul', ['x', 'a'], ['p'])
  .node('MatMul', ['x', 'b'], ['q'])
  .node('Mul', ['p', 'q'], ['r'])
  .node('MatMul', ['r', 'c'], ['y'])
  .output('y')
  .build()

const points = gramPoints(built)
const batches = [
  { x: randomTensor([3, 5, 8], 4) },
  { x: randomTensor([2, 5, 8], 5) },
  { x: randomTensor([1, 2, 8], 6) },
]

function collect(of: readonly (typeof batches)[number][]) {
  return collectGrams({ model: built, points, runtime, batches: toBatches(of) })
}

describe('collectGrams', () => {
  it('asks for each input once', () => {
    expect(points).toEqual([
      { value: 'x', columns: 8 },
      { value: 'r', columns: 12 },
    ])
  })

  it('adds up XᵀX and |x| over batches of any size', async () => {
    const { samples, inputs } = await collect(batches)
    const x = batches.flatMap(({ x: { data } }) => Array.from(data as Float32Array))
    const { gram, magnitude, rows } = inputs.get('x')!
    expect([samples, rows]).toEqual([6, 27])
    gramOf(Float32Array.from(x), 8).forEach((value, i) => expect(gram[i]).toBeCloseTo(value, 4))
    const first = x.filter((_, i) => i % 8 === 0).reduce((sum, value) => sum + Math.abs(value), 0)
    expect(magnitude[0]).toBeCloseTo(first, 4)
  })

  it('leaves out a batch that is not finite', async () => {
    const spoilt = {
      x: { ...randomTensor([1, 1, 8], 7), data: new Float32Array(8).fill(Infinity) },
    }
    const [clean, mixed] = [await collect(batches), await collect([...batches, spoilt])]
    expect(mixed.inputs.get('x')).toEqual(clean.inputs.get('x'))
  })

  it('refuses no data', async () => {
    const code = 'quantization_statistics_missing'
    await expect(collect([])).rejects.toMatchObject({ code })
  })
})
