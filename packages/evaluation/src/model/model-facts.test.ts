import { model } from '@pare/graph/testing'
import { tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { countMacs, modelFacts } from './model-facts.js'

const dense = model()
  .input('x', 'float32', ['n', 3])
  .floats('w', [3, 2], [1, 0, 0, 2, 3, 0])
  .floats('b', [2], [0, 0])
  .node('Gemm', ['x', 'w', 'b'], ['y'])
  .node('Relu', ['y'], ['z'])
  .output('z')
  .build()

describe('modelFacts', () => {
  it('counts parameters, zeros among the weights, and operators', () => {
    expect(modelFacts(dense)).toEqual({
      parameters: 8,
      sparsity: 0.5,
      nodes: 2,
      op_types: { Gemm: 1, Relu: 1 },
    })
  })

  it('knows the zero of quantized weights, per channel too, and leaves out their scales', () => {
    const quantized = model()
      .initializer('w', tensorFromInts('uint8', [2, 2], [128, 1, 128, 5]))
      .floats('s', [2], [1, 1])
      .initializer('zp', tensorFromInts('uint8', [2], [128, 5]))
      .node('DequantizeLinear', ['w', 's', 'zp'], ['y'], { axis: 1 })
      .output('y')
      .build()
    expect(modelFacts(quantized)).toMatchObject({ parameters: 4, sparsity: 0.75 })
  })

  it.each([
    ['the middle', [], 0.25],
    ['9', [0x09], 0.25],
    ['7', [0x07], 0],
  ])('counts the weights of MatMulNBits one by one, where %s is zero', (_, zero, zeros) => {
    const codes = [0x98, 0x98, 0x66, 0x66, 0, 0, 0, 0]
    const inputs = ['x', 'b', 's', ...zero.map(() => 'zp')]
    const attributes = { K: 8, N: 1, bits: 4, block_size: 16 }
    const product = model({ domains: { 'com.microsoft': 1 } })
      .input('x', 'float32', ['n', 8])
      .initializer('b', tensorFromInts('uint8', [1, 1, 8], codes))
      .floats('s', [1], [1])
    const whole =
      zero.length === 0 ? product : product.initializer('zp', tensorFromInts('uint8', [1, 1], zero))
    const built = whole.node('com.microsoft::MatMulNBits', inputs, ['y'], attributes).output('y')
    expect(modelFacts(built.build())).toMatchObject({ parameters: 8, sparsity: zeros })
  })

  it('knows the zero of integers that are cast, and leaves out what they are scaled by', () => {
    const built = model()
      .input('x', 'float32', ['n', 1, 4, 4])
      .initializer('q', tensorFromInts('uint8', [2, 1, 1, 2], [7, 1, 3, 3]))
      .initializer('zp', tensorFromInts('uint8', [2, 1, 1, 1], [7, 3]))
      .floats('s', [2, 1, 1, 1], [1, 1])
      .node('Cast', ['q'], ['f'], { to: 1 })
      .node('Cast', ['zp'], ['z'], { to: 1 })
      .node('Sub', ['f', 'z'], ['d'])
      .node('Mul', ['d', 's'], ['w'])
      .node('Conv', ['x', 'w'], ['y'])
      .output('y')
      .build()
    expect(modelFacts(built)).toMatchObject({ parameters: 4, sparsity: 0.75 })
  })

  it('does not count what fills up the last block of a row', () => {
    const built = model()
      .input('x', 'float32', ['n', 1, 1, 3])
      .initializer('q', tensorFromInts('uint8', [1, 2, 2], [7, 1, 3, 0]))
      .initializer('zp', tensorFromInts('uint8', [1, 2, 1], [7, 3]))
      .floats('s', [1, 2, 1], [1, 1])
      .initializer('flat', tensorFromInts('int64', [2], [1, 4]))
      .initializer('zero', tensorFromInts('int64', [1], [0]))
      .initializer('three', tensorFromInts('int64', [1], [3]))
      .node('Cast', ['q'], ['f'], { to: 1 })
      .node('Cast', ['zp'], ['z'], { to: 1 })
      .node('Sub', ['f', 'z'], ['d'])
      .node('Mul', ['d', 's'], ['m'])
      .node('Reshape', ['m', 'flat'], ['r'])
      .node('Slice', ['r', 'zero', 'three'], ['w'])
      .output('w')
      .build()
    expect(modelFacts(built).sparsity).toBeCloseTo(2 / 3, 6)
  })

  it('counts constants of nodes, bodies of If, and domains', () => {
    const body = model().node('com.microsoft::Gelu', ['x'], ['g']).output('g').graph()
    const branching = model({ domains: { 'com.microsoft': 1 } })
      .input('x')
      .node('Constant', [], ['c'], { value: tensorFromInts('int64', [3], [0, 1, 2]) })
      .node('If', ['c'], ['y'], { then_branch: body, else_branch: body })
      .output('y')
      .build()
    const facts = modelFacts(branching)
    expect(facts.op_types).toEqual({ Constant: 1, If: 1, 'com.microsoft::Gelu': 2 })
    expect(facts).toMatchObject({ parameters: 3, sparsity: 0, nodes: 4 })
  })
})

describe('countMacs', () => {
  it('counts per sample and says what it could not count', () => {
    const shapes = new Map([
      ['x', [4, 3]],
      ['w', [3, 2]],
      ['y', [4, 2]],
    ])
    expect(countMacs(dense, (value) => shapes.get(value), 4)).toEqual({
      macs: 6,
      nodes_not_counted: 0,
    })
    expect(countMacs(dense, () => undefined, 4)).toEqual({ macs: 0, nodes_not_counted: 1 })
  })
})
