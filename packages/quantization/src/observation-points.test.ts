import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { observationPoints } from './observation-points.js'
import { randomValues } from './testing.js'

const built = model({ opset: 17 })
  .input('x', 'float32', ['n', 8, 6, 6])
  .floats('w', [8, 8, 3, 3], randomValues(576, 1))
  .floats('g', [8, 4], randomValues(32, 2))
  .node('Conv', ['x', 'w'], ['a'])
  .node('Relu', ['a'], ['r'])
  .node('GlobalAveragePool', ['r'], ['p'])
  .node('Flatten', ['p'], ['f'])
  .node('Gemm', ['f', 'g'], ['y'])
  .output('y')
  .build()

describe('observationPoints', () => {
  it('names what will be quantized: no folded value, no shared one, no float output', () => {
    expect(observationPoints(built)).toEqual(['x', 'r', 'p'])
  })

  it('asks for the value before a Relu that symmetric activations keep', () => {
    expect(observationPoints(built, { symmetric: true })).toContain('a')
  })
})
