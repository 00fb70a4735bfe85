import { model } from '@pare/graph/testing'
import { toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { flushTinyWeights } from './flush-tiny-weights.js'

const TINY = [1, 2e-31, -3e-40, 1e-29]

describe('flushTinyWeights', () => {
  it('makes 0 of weights whose products are denormal, and says where', () => {
    const built = model()
      .input('x', 'float32', [1, 2])
      .floats('w', [2, 2], TINY)
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const { model: result, modified, diagnostics } = flushTinyWeights().run(built)
    expect(modified).toBe(true)
    const [weight] = [...result.graph.initializers.values()]
    expect([...toFloat32(weight!)]).toEqual([1, 0, 0, Math.fround(1e-29)])
    expect(diagnostics).toMatchObject([{ code: 'tiny_weights_flushed' }])
  })

  it('leaves alone what is no weight, what something else reads too, and sound weights', () => {
    const built = model()
      .input('x', 'float32', [2, 2])
      .floats('epsilon', [], [1e-38])
      .floats('shared', [2, 2], TINY)
      .floats('sound', [2, 2], [1, 2, 3, 0])
      .node('MatMul', ['x', 'shared'], ['a'])
      .node('Add', ['a', 'shared'], ['b'])
      .node('MatMul', ['b', 'sound'], ['c'])
      .node('Add', ['c', 'epsilon'], ['y'])
      .output('y')
      .build()
    expect(flushTinyWeights().run(built)).toEqual({
      model: built,
      modified: false,
      diagnostics: [],
    })
  })
})
