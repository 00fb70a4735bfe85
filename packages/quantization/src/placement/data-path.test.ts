import { model } from '@pare/graph/testing'
import { tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomValues } from '../testing.js'
import { dataPath } from './data-path.js'

const pathOf = (builder: ReturnType<typeof model>) =>
  [...dataPath(builder.build())].map(({ opType }) => opType)

describe('dataPath', () => {
  it('starts at the float inputs and leaves out shapes and indices', () => {
    const built = model()
      .input('x', 'float32', ['n', 4])
      .node('Shape', ['x'], ['s'])
      .node('Relu', ['x'], ['r'])
      .node('Reshape', ['r', 's'], ['y'])
      .output('y')
    expect(pathOf(built)).toEqual(['Relu', 'Reshape'])
  })

  it('starts where tokens are looked up in an embedding, not at the arithmetic on tokens', () => {
    const built = model()
      .input('ids', 'int64', ['n', 6])
      .initializer('one', tensorFromInts('int64', [], [1]))
      .floats('table', [10, 4], randomValues(40, 1))
      .floats('w', [4, 4], randomValues(16, 2))
      .node('Add', ['ids', 'one'], ['shifted'])
      .node('Gather', ['table', 'shifted'], ['e'])
      .node('MatMul', ['e', 'w'], ['y'])
      .output('y')
    expect(pathOf(built)).toEqual(['MatMul'])
  })

  it('starts where pixels in bytes become floats', () => {
    const built = model()
      .input('pixels', 'uint8', ['n', 4])
      .floats('w', [4, 4], randomValues(16, 2))
      .node('Cast', ['pixels'], ['x'], { to: 1 })
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
    expect(pathOf(built)).toEqual(['MatMul'])
  })
})
