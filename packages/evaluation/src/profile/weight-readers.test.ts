import { model } from '@pare/graph/testing'
import { expect, it } from 'vitest'

import { servedConstants } from './weight-readers.js'

it('counts codes, zero points and scales for the layer they are unpacked for, factors for their Mul', () => {
  const built = model()
    .input('x')
    .floats('codes', [4, 4], Array.from({ length: 16 }, Number))
    .floats('zero', [4, 1], [0, 0, 0, 0])
    .floats('scale', [4, 1], [1, 1, 1, 1])
    .floats('factor', [4], [1, 2, 3, 4])
    .node('Cast', ['codes'], ['a'], { to: 1 })
    .node('Cast', ['zero'], ['b'], { to: 1 })
    .node('Sub', ['a', 'b'], ['c'])
    .node('Mul', ['c', 'scale'], ['w'])
    .node('Mul', ['factor', 'x'], ['scaled'])
    .node('MatMul', ['scaled', 'w'], ['y'])
    .output('y')
    .build()
  const readers = servedConstants(built).map(({ name, reader }) => [name, reader?.opType])
  expect(readers).toEqual([
    ['codes', 'MatMul'],
    ['zero', 'MatMul'],
    ['scale', 'MatMul'],
    ['factor', 'Mul'],
  ])
})
