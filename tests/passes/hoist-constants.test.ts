// Moving weights out of bodies must not change what the model computes: onnxruntime judges.
import { checkModel, type Model, subgraphsOf } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { hoistConstants, prepareModel } from '@pare/passes'
import { createRandom, type RuntimeTensor, tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, openModel, randomFloats } from '../support/run-model.js'

function numbers(count: number, seed: number): Float32Array {
  const { normal } = createRandom(seed)
  return Float32Array.from({ length: count }, normal)
}

const shared = tensorFromFloat32([4, 4], numbers(16, 1))

/** x · shared · transpose(constant) + bias, with the bias read by a body inside the body. */
function branch(seed: number) {
  const inner = model()
    .node('Add', [`p${seed}`, `b${seed}`], [`i${seed}`])
    .output(`i${seed}`, 'float32', [2, 4])
    .graph()
  return model()
    .initializer(`w${seed}`, shared)
    .floats(`b${seed}`, [4], numbers(4, seed))
    .node('MatMul', ['x', `w${seed}`], [`m${seed}`])
    .node('Constant', [], [`k${seed}`], { value: tensorFromFloat32([4, 4], numbers(16, seed + 9)) })
    .node('Transpose', [`k${seed}`], [`t${seed}`], { perm: [1, 0] })
    .node('MatMul', [`m${seed}`, `t${seed}`], [`p${seed}`])
    .node('If', ['flag'], [`o${seed}`], { then_branch: inner, else_branch: inner })
    .output(`o${seed}`, 'float32', [2, 4])
    .graph()
}

function branches(): Model {
  return model({ opset: 17 })
    .input('flag', 'bool', [])
    .input('x', 'float32', [2, 4])
    .node('If', ['flag'], ['y'], { then_branch: branch(2), else_branch: branch(3) })
    .output('y', 'float32', [2, 4])
    .build()
}

function feeds(flag: number): Record<string, RuntimeTensor> {
  return {
    flag: { dataType: 'bool', dims: [], data: Uint8Array.of(flag) },
    x: randomFloats([2, 4], 5),
  }
}

describe('hoistConstants', () => {
  it.each([0, 1])('moves weights, and what lays them out, out of branch %i', async (flag) => {
    const before = branches()
    const { model: after, modified } = hoistConstants().run(before)
    checkModel(after)
    expect(modified).toBe(true)
    for (const body of subgraphsOf(after.graph.nodes.at(-1)!)) {
      expect(body.initializers.size).toBe(0)
      expect(body.nodes.map(({ opType }) => opType)).toEqual(['MatMul', 'MatMul', 'If'])
    }
    await expectSameOutputs(before, after, feeds(flag))
  })

  it('lets preparing fold them, and share what branches have in common', async () => {
    const before = branches()
    const { model: after } = await prepareModel(before, { open: openModel, feeds: feeds(1) })
    checkModel(after)
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(['If'])
    // The shared weight once; of each branch the transposed weight and the bias.
    expect(after.graph.initializers.size).toBe(5)
    for (const flag of [0, 1]) await expectSameOutputs(before, after, feeds(flag))
  })

  it('folds weights that are put together of slices', async () => {
    const body = (name: string) =>
      model()
        .floats(`w${name}`, [4, 4], numbers(16, 7))
        .initializer(`0${name}`, tensorFromInts('int64', [1], [0]))
        .initializer(`2${name}`, tensorFromInts('int64', [1], [2]))
        .initializer(`4${name}`, tensorFromInts('int64', [1], [4]))
        .node('Slice', [`w${name}`, `0${name}`, `2${name}`], [`a${name}`])
        .node('Slice', [`w${name}`, `2${name}`, `4${name}`], [`b${name}`])
        .node('Concat', [`b${name}`, `a${name}`], [`c${name}`], { axis: 0 })
        .node('MatMul', ['x', `c${name}`], [`y${name}`])
        .output(`y${name}`, 'float32', [2, 4])
        .graph()
    const before = model({ opset: 17 })
      .input('flag', 'bool', [])
      .input('x', 'float32', [2, 4])
      .node('If', ['flag'], ['y'], { then_branch: body('t'), else_branch: body('e') })
      .output('y', 'float32', [2, 4])
      .build()
    const { model: after } = await prepareModel(before, { open: openModel, feeds: feeds(1) })
    for (const { nodes } of subgraphsOf(after.graph.nodes.at(-1)!)) {
      expect(nodes.map(({ opType }) => opType)).toEqual(['MatMul'])
    }
    expect(after.graph.initializers.size).toBe(1)
    for (const flag of [0, 1]) await expectSameOutputs(before, after, feeds(flag))
  })

  it('leaves what a body gives out, and scalars', async () => {
    const body = model()
      .input('i', 'int64', [])
      .input('go', 'bool', [])
      .input('state', 'float32', [2])
      .floats('given', [2], [1, 2])
      .floats('half', [], [0.5])
      .node('Mul', ['state', 'half'], ['next'])
      .node('Identity', ['go'], ['on'])
      .output('on', 'bool', [])
      .output('next', 'float32', [2])
      .output('given', 'float32', [2])
      .graph()
    const before = model({ opset: 17 })
      .input('x', 'float32', [2])
      .initializer('times', tensorFromInts('int64', [], [3]))
      .node('Loop', ['times', '', 'x'], ['y', 'all'], { body })
      .output('y', 'float32', [2])
      .output('all', 'float32', [3, 2])
      .build()
    const { model: after, modified } = hoistConstants().run(before)
    expect([after, modified]).toEqual([before, false])
    await expectSameOutputs(before, after, { x: randomFloats([2]) })
  })

  it('leaves in place what lays out a constant of a body in between', async () => {
    const inner = model()
      .node('Unsqueeze', ['size', 'axis'], ['shape'])
      .node('Expand', ['x', 'shape'], ['wide'])
      .output('wide', 'float32', [2])
      .graph()
    const middle = model()
      .initializer('size', tensorFromInts('int64', [], [2]))
      .initializer('axis', tensorFromInts('int64', [1], [0]))
      .node('If', ['flag'], ['y'], { then_branch: inner, else_branch: inner })
      .output('y', 'float32', [2])
      .graph()
    const before = model({ opset: 17 })
      .input('flag', 'bool', [])
      .input('x', 'float32', [1])
      .node('If', ['flag'], ['z'], { then_branch: middle, else_branch: middle })
      .output('z', 'float32', [2])
      .build()
    const { model: after } = hoistConstants().run(before)
    checkModel(after)
    const flag: RuntimeTensor = { dataType: 'bool', dims: [], data: Uint8Array.of(1) }
    await expectSameOutputs(before, after, { flag, x: randomFloats([1]) })
  })
})
