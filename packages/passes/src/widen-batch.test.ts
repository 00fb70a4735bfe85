import type { Model } from '@pare/graph'
import { model, type ShapeSpec, tensorValue } from '@pare/graph/testing'
import { tensorFromInts, toIntegers } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { restoreBatch, widenBatch } from './widen-batch.js'

const target = (values: readonly number[]) => tensorFromInts('int64', [values.length], values)

const widen = (before: Model) => widenBatch(4).run(before)

function integersOf({ graph }: Model, name: string): number[] {
  return toIntegers(graph.initializers.get(name)!)
}

/** One Reshape of the input to each of the targets. */
function reshapes(targets: readonly (readonly number[])[], attributes = {}): Model {
  const built = model().input('x', 'float32', [1, 2, 6])
  for (const [i, values] of targets.entries()) {
    built.initializer(`t${i}`, target(values))
    built.node('Reshape', ['x', `t${i}`], [`y${i}`], attributes).output(`y${i}`)
  }
  return built.build()
}

function takes(...inputs: readonly (ShapeSpec | undefined)[]): Model {
  const built = model()
  for (const [i, shape] of inputs.entries()) {
    built
      .input(`x${i}`, 'float32', shape)
      .node('Relu', [`x${i}`], [`y${i}`])
      .output(`y${i}`)
  }
  return built.build()
}

describe('widenBatch', () => {
  it('widens the inputs, and lets go of the sizes that may hold the batch', () => {
    const before = model()
      .input('x', 'float32', [1, 3])
      .input('mask', 'float32', ['n', 3])
      .input('w', 'float32', [1, 3])
      .floats('w', [1, 3], [1, 2, 3])
      .value('a', 'float32', [1, 3])
      .value('b', 'float32')
      .node('Mul', ['x', 'w'], ['a'])
      .node('Add', ['a', 'mask'], ['b'])
      .node('Transpose', ['b'], ['y'])
      .output('y', 'float32', [3, 1])
      .build()
    const { model: after, modified } = widen(before)
    expect(modified).toBe(true)
    expect(after.graph.inputs).toEqual([
      tensorValue('x', 'float32', [4, 3]),
      tensorValue('mask', 'float32', ['n', 3]),
      tensorValue('w', 'float32', [1, 3]),
    ])
    expect(after.graph.valueInfo).toEqual([
      tensorValue('a', 'float32', [null, null]),
      tensorValue('b', 'float32'),
    ])
    expect(after.graph.outputs).toEqual([tensorValue('y', 'float32', [null, null])])
    expect(restoreBatch(after, before)).toEqual(before)
  })

  it.each([
    ['a batch that is open already', [['n', 3]]],
    ['a batch of several', [[2, 3]]],
    ['a scalar beside', [[1, 3], []]],
    [
      'a state of another size beside',
      [
        [1, 3],
        [2, 1, 8],
      ],
    ],
    ['an input of unknown rank beside', [[1, 3], undefined]],
  ] as const)('leaves alone a model with %s', (_, inputs) => {
    const before = takes(...inputs)
    expect(widen(before)).toEqual({ model: before, modified: false, diagnostics: [] })
  })

  it('leaves alone a model with bodies', () => {
    const branch = (name: string) => model().node('Neg', ['x'], [name]).output(name).graph()
    const before = model()
      .input('x', 'float32', [1, 3])
      .input('c', 'bool', [1])
      .node('If', ['c'], ['y'], { then_branch: branch('p'), else_branch: branch('q') })
      .output('y')
      .build()
    expect(widen(before).modified).toBe(false)
  })

  it.each([
    [
      [1, 12],
      [-1, 12],
    ],
    [
      [2, 1, 6],
      [-1, 1, 6],
    ],
    [
      [1, 0, 6],
      [-1, 0, 6],
    ],
    [
      [1, -1],
      [0, -1],
    ],
    [
      [1, 0, -1],
      [0, 0, -1],
    ],
    [
      [0, -1],
      [0, -1],
    ],
    [
      [-1, 6],
      [-1, 6],
    ],
    [
      [2, -1],
      [2, -1],
    ],
  ])('makes of the target %j the target %j', (before, after) => {
    const built = reshapes([before])
    const { model: widened } = widen(built)
    expect(integersOf(widened, 't0')).toEqual(after)
    expect(restoreBatch(widened, built)).toEqual(built)
  })

  it('copies no dimension where a 0 is a size', () => {
    const { model: widened } = widen(
      reshapes(
        [
          [1, -1],
          [1, 12],
        ],
        { allowzero: 1 },
      ),
    )
    expect(integersOf(widened, 't0')).toEqual([1, -1])
    expect(integersOf(widened, 't1')).toEqual([-1, 12])
  })

  it('changes a target that several read only where all are Reshapes', () => {
    const before = model()
      .input('x', 'float32', [1, 2, 6])
      .initializer('both', target([1, 12]))
      .initializer('expanded', target([1, 2, 6]))
      .node('Reshape', ['x', 'both'], ['a'])
      .node('Relu', ['x'], ['r'])
      .node('Reshape', ['r', 'both'], ['b'])
      .node('Reshape', ['x', 'expanded'], ['c'])
      .node('Expand', ['x', 'expanded'], ['d'])
    for (const name of ['a', 'b', 'c', 'd']) before.output(name)
    const { model: widened } = widen(before.build())
    expect(integersOf(widened, 'both')).toEqual([-1, 12])
    expect(integersOf(widened, 'expanded')).toEqual([1, 2, 6])
  })

  it('refuses a size that is no batch', () => {
    for (const size of [1, 0, 2.5]) expect(() => widenBatch(size)).toThrow(RangeError)
  })
})

describe('restoreBatch', () => {
  it('keeps what was changed otherwise: types, further values, values that are gone', () => {
    const before = model()
      .input('x', 'float32', [1, 3])
      .value('a', 'float32', [1, 3])
      .value('gone', 'float32', [1, 3])
      .node('Relu', ['x'], ['a'])
      .node('Relu', ['a'], ['gone'])
      .node('Relu', ['gone'], ['y'])
      .output('y', 'float32', [1, 3])
      .build()
    const { graph, ...rest } = widen(before).model
    const valueInfo = [
      tensorValue('a', 'uint8', [null, null]),
      tensorValue('added', 'float32', [3]),
    ]
    const restored = restoreBatch({ ...rest, graph: { ...graph, valueInfo } }, before)
    expect(restored.graph.valueInfo).toEqual([
      tensorValue('a', 'uint8', [1, 3]),
      tensorValue('added', 'float32', [3]),
    ])
    expect(restored.graph.inputs).toEqual(before.graph.inputs)
    expect(restored.graph.outputs).toEqual(before.graph.outputs)
  })
})
