// The passes that run models, the small clean-ups, and the pipeline as a whole.
import {
  attr,
  checkModel,
  type Graph,
  type Model,
  onnxOpset,
  type Pass,
  type Value,
} from '@pare/graph'
import { model } from '@pare/graph/testing'
import {
  deduplicateInitializers,
  extractConstants,
  foldConstants,
  freezeInitializers,
  learnShapes,
  prepareModel,
  removeNoOps,
  removeUnused,
  sortTopologically,
} from '@pare/passes'
import { createRandom, elementCount, tensorFromFloats, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, openModel, randomFloats } from '../support/run-model.js'

const opset = { opset: 17, irVersion: 8 }

function numbers(dims: readonly number[], seed: number): number[] {
  const { normal } = createRandom(seed)
  return Array.from({ length: elementCount(dims) }, normal)
}

function opTypes({ graph }: { readonly graph: Graph }): string[] {
  return graph.nodes.map(({ opType }) => opType)
}

function run(pass: Pass, before: Model): Model {
  checkModel(before)
  const after = pass.run(before).model
  checkModel(after)
  return after
}

/** `branch` of an If: one node that reads the captured value. */
function branch(name: string, captured: string, opType = 'Neg'): Graph {
  return model().node(opType, [captured], [name]).output(name).graph()
}

describe('foldConstants', () => {
  const ints = (values: number[]) => tensorFromInts('int64', [values.length], values)

  it('computes what does not depend on the inputs, in one cut', async () => {
    const before = model(opset)
      .input('x', 'float32', ['n', 4])
      .floats('w', [4, 4], numbers([16], 1))
      .initializer('shape', ints([4, 4]))
      .node('Transpose', ['w'], ['wt'])
      .node('Neg', ['wt'], ['wn'])
      .node('Reshape', ['wn', 'shape'], ['wr'])
      .node('MatMul', ['x', 'wr'], ['y'])
      .output('y')
      .build()
    const { model: after } = await foldConstants({ open: openModel }).run(before)
    checkModel(after)
    expect(opTypes(after)).toEqual(['MatMul'])
    expect(after.graph.initializers.size).toBe(1)
    await expectSameOutputs(before, after, { x: randomFloats([2, 4]) })
  })

  it('leaves what would grow, what is random, what is quantized and what is an output', async () => {
    const before = model(opset)
      .input('x', 'float32', [1])
      .floats('one', [1], [1])
      .initializer('big', ints([300, 300]))
      .initializer('q', tensorFromInts('int8', [2], [1, 2]))
      .floats('scale', [], [0.5])
      .node('Expand', ['one', 'big'], ['expanded'])
      .node('ReduceSum', ['expanded'], ['sum'], { keepdims: 0 })
      .node('RandomNormalLike', ['one'], ['noise'])
      .node('DequantizeLinear', ['q', 'scale'], ['d'])
      .node('Neg', ['one'], ['constant'])
      .node('Add', ['x', 'sum'], ['a'])
      .node('Add', ['a', 'd'], ['b'])
      .node('Add', ['b', 'noise'], ['y'])
      .output('y')
      .output('constant')
      .build()
    const { model: after } = await foldConstants({ open: openModel }).run(before)
    checkModel(after)
    // The sum of the expanded tensor is small again, so both nodes fold away together.
    expect(opTypes(after)).toEqual([
      'RandomNormalLike',
      'DequantizeLinear',
      'Neg',
      'Add',
      'Add',
      'Add',
    ])
    const grows = model(opset)
      .input('x', 'float32', [1])
      .floats('one', [1], [1])
      .initializer('big', ints([300, 300]))
      .node('Neg', ['one'], ['minus'])
      .node('Expand', ['minus', 'big'], ['expanded'])
      .node('Add', ['x', 'expanded'], ['y'])
      .output('y')
      .build()
    const kept = await foldConstants({ open: openModel }).run(grows)
    checkModel(kept.model)
    expect(opTypes(kept.model)).toEqual(['Expand', 'Add'])
  })

  it('folds float16 weights behind a Cast', async () => {
    const w = tensorFromFloats('float16', [200, 200], Float32Array.from(numbers([40000], 1)))
    const before = model(opset)
      .input('x', 'float32', ['n', 200])
      .initializer('w', w)
      .node('Cast', ['w'], ['w32'], { to: 1 })
      .node('MatMul', ['x', 'w32'], ['y'])
      .output('y')
      .build()
    const { model: after } = await foldConstants({ open: openModel }).run(before)
    expect(opTypes(after)).toEqual(['MatMul'])
    await expectSameOutputs(before, after, { x: randomFloats([2, 200]) })
  })

  it('keeps the model when the constants cannot be computed', async () => {
    const before = model(opset)
      .input('x')
      .floats('w', [2], [1, 2])
      .initializer('shape', ints([3]))
      .node('Reshape', ['w', 'shape'], ['bad'])
      .node('Add', ['x', 'bad'], ['y'])
      .output('y')
      .build()
    const result = await foldConstants({ open: openModel }).run(before)
    expect(result.model).toBe(before)
    expect(result.diagnostics.map(({ code }) => code)).toEqual(['constants_not_folded'])
  })

  it('sees that a body reads a folded value', async () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .input('flag', 'bool', [])
      .floats('w', [2], [1, 2])
      .node('Neg', ['w'], ['wn'])
      .node('If', ['flag'], ['z'], {
        then_branch: branch('t', 'wn'),
        else_branch: branch('e', 'wn', 'Abs'),
      })
      .node('Add', ['x', 'z'], ['y'])
      .output('y')
      .build()
    const { model: after } = await foldConstants({ open: openModel }).run(before)
    checkModel(after)
    expect(opTypes(after)).toEqual(['If', 'Add'])
    for (const flag of [0, 1]) {
      const feeds = {
        x: randomFloats([2]),
        flag: { dataType: 'bool', dims: [], data: Uint8Array.of(flag) } as const,
      }
      await expectSameOutputs(before, after, feeds)
    }
  })
})

describe('learnShapes', () => {
  it('knows type and dimensions of every value after one run', async () => {
    const before = model(opset)
      .input('x', 'float32', ['n', 3])
      .floats('w', [3, 2], numbers([6], 1))
      .node('MatMul', ['x', 'w'], ['p'])
      .node('Shape', ['p'], ['s'])
      .node('Cast', ['p'], ['h'], { to: 10 })
      .node('TopK', ['p', 'k'], ['values', 'indices'])
      .initializer('k', tensorFromInts('int64', [1], [1]))
      .node('Cast', ['h'], ['y'], { to: 1 })
      .output('y')
      .build()
    for (const valuesPerRun of [1, 100]) {
      const shapes = await learnShapes(
        before,
        openModel,
        { x: randomFloats([4, 3]) },
        { valuesPerRun },
      )
      expect(Object.fromEntries(shapes)).toEqual({
        x: { dataType: 'float32', dims: [4, 3] },
        w: { dataType: 'float32', dims: [3, 2] },
        k: { dataType: 'int64', dims: [1] },
        p: { dataType: 'float32', dims: [4, 2] },
        s: { dataType: 'int64', dims: [2] },
        h: { dataType: 'float16', dims: [4, 2] },
        values: { dataType: 'float32', dims: [4, 1] },
        indices: { dataType: 'int64', dims: [4, 1] },
        y: { dataType: 'float32', dims: [4, 2] },
      })
    }
  })

  it('learns the others when a value has a type that no session hands out', async () => {
    const before = model({ opset: 21, irVersion: 10 })
      .input('x', 'float32', ['n', 3])
      .node('Neg', ['x'], ['a'])
      .node('Cast', ['a'], ['narrow'], { to: 17 })
      .node('Cast', ['narrow'], ['b'], { to: 1 })
      .node('Exp', ['b'], ['y'])
      .output('y')
      .build()
    const shapes = await learnShapes(before, openModel, { x: randomFloats([4, 3]) })
    expect([...shapes.keys()].sort()).toEqual(['a', 'b', 'x', 'y'])
  })

  it('fails as the runtime does when the model does not run', async () => {
    const before = model(opset).input('x').node('Neg', ['x'], ['y']).output('y').build()
    await expect(learnShapes(before, openModel, {})).rejects.toMatchObject({
      code: 'runtime_invalid_feeds',
    })
  })

  it('skips sequences and the insides of bodies', async () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .input('flag', 'bool', [])
      .node('SequenceConstruct', ['x', 'x'], ['seq'])
      .node('ConcatFromSequence', ['seq'], ['c'], { axis: 0 })
      .node('If', ['flag'], ['y'], {
        then_branch: branch('t', 'c'),
        else_branch: branch('e', 'c', 'Abs'),
      })
      .output('y')
      .build()
    const flag = { dataType: 'bool', dims: [], data: Uint8Array.of(1) } as const
    const shapes = await learnShapes(before, openModel, { x: randomFloats([2]), flag })
    expect([...shapes.keys()].sort()).toEqual(['c', 'flag', 'x', 'y'])
    expect(shapes.get('c')).toEqual({ dataType: 'float32', dims: [4] })
  })

  it('knows sequences that bodies make without asking the runtime value by value', async () => {
    const untyped = (graph: Graph, ...names: readonly string[]): Graph => {
      const strip = (value: Value): Value =>
        names.includes(value.name) ? { name: value.name, metadataProps: [] } : value
      return { ...graph, inputs: graph.inputs.map(strip), outputs: graph.outputs.map(strip) }
    }
    const longer = model(opset).node('SequenceInsert', ['list', 'x'], ['longer']).output('longer')
    const same = model(opset).node('Identity', ['list'], ['same']).output('same')
    const round = model(opset)
      .input('round', 'int64', [])
      .input('going', 'bool', [])
      .input('list')
      .node('Identity', ['going'], ['go_on'])
      .node('If', ['go_on'], ['next'], {
        then_branch: untyped(longer.graph(), 'longer'),
        else_branch: untyped(same.graph(), 'same'),
      })
      .output('go_on', 'bool', [])
      .output('next')
    const body = untyped(round.graph(), 'list', 'next')
    const before = model(opset)
      .input('x', 'float32', [2])
      .initializer('rounds', tensorFromInts('int64', [], [3]))
      .node('SequenceEmpty', [], ['none'])
      .node('Loop', ['rounds', '', 'none'], ['all'], { body })
      .node('Identity', ['all'], ['again'])
      .node('ConcatFromSequence', ['again'], ['y'], { axis: 0 })
      .output('y')
      .build()
    let opened = 0
    const open = (candidate: Model) => {
      opened++
      return openModel(candidate)
    }
    const shapes = await learnShapes(before, open, { x: randomFloats([2]) })
    expect([...shapes.keys()].sort()).toEqual(['rounds', 'x', 'y'])
    expect(shapes.get('y')?.dims).toEqual([6])
    expect(opened).toBe(1)
  })
})

describe('the clean-ups', () => {
  it('extractConstants turns every form of Constant into an initializer', async () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .node('Constant', [], ['a'], { value_float: attr.float(2) })
      .node('Constant', [], ['b'], { value_floats: attr.floats([1, 2]) })
      .node('Constant', [], ['c'], { value: tensorFromInts('int64', [1], [2]) })
      .node('Constant', [], ['d'], { value_ints: [2] })
      .node('Add', ['c', 'd'], ['four'])
      .node('Mul', ['x', 'a'], ['m'])
      .node('Add', ['m', 'b'], ['y'])
      .output('y')
      .output('four', 'int64')
      .build()
    const after = run(extractConstants(), before)
    expect(opTypes(after)).toEqual(['Add', 'Mul', 'Add'])
    await expectSameOutputs(before, after, { x: randomFloats([2]) })
  })

  it('freezeInitializers makes constants of defaults and says so, unless the file is old', () => {
    const build = (irVersion: number) =>
      model({ opset: 9, irVersion })
        .input('x')
        .input('w', 'float32', [1])
        .floats('w', [1], [2])
        .node('Mul', ['x', 'w'], ['y'])
        .output('y')
        .build()
    const frozen = freezeInitializers().run(build(8))
    expect(frozen.model.graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(frozen.diagnostics.map(({ code }) => code)).toEqual(['input_frozen'])
    const old = freezeInitializers().run(build(3))
    expect(old.diagnostics).toEqual([])
    expect(old.model.irVersion).toBe(4)
  })

  it('freezeInitializers leaves a file that the runtime loads, even with an unread initializer', async () => {
    const before = model({ opset: 9, irVersion: 3 })
      .input('x', 'float32', [1])
      .input('unread', 'float32', [1])
      .floats('unread', [1], [2])
      .node('Neg', ['x'], ['y'])
      .output('y')
      .build()
    await expectSameOutputs(before, run(freezeInitializers(), before), { x: randomFloats([1]) })
  })

  it('removeNoOps removes what hands its input on', async () => {
    const before = model(opset)
      .input('x', 'float32', [2, 3])
      .node('Identity', ['x'], ['a'])
      .node('Dropout', ['a'], ['b'])
      .node('Transpose', ['b'], ['c'], { perm: [0, 1] })
      .node('Cast', ['x'], ['d'], { to: 1 })
      .node('Concat', ['c'], ['e'], { axis: 0 })
      .node('Add', ['e', 'd'], ['f'])
      .node('Identity', ['f'], ['y'])
      .output('y')
      .build()
    const after = run(removeNoOps(), before)
    expect(opTypes(after)).toEqual(['Add'])
    expect(after.graph.nodes[0]?.outputs).toEqual(['y'])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })

  it('removeNoOps keeps what joins an input to an output or shows one value twice', () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .node('Identity', ['x'], ['same'])
      .node('Neg', ['x'], ['y'])
      .node('Identity', ['y'], ['again'])
      .node('Dropout', ['y'], ['kept', 'mask'])
      .output('same')
      .output('y')
      .output('again')
      .output('mask', 'bool')
      .build()
    const after = run(removeNoOps(), before)
    expect(opTypes(after)).toEqual(opTypes(before))
  })

  it('removeNoOps follows a value into a body', async () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .input('flag', 'bool', [])
      .node('Neg', ['x'], ['n'])
      .node('Identity', ['n'], ['i'])
      .node('If', ['flag'], ['y'], {
        then_branch: branch('t', 'i'),
        else_branch: branch('e', 'i', 'Abs'),
      })
      .output('y')
      .build()
    const after = run(removeNoOps(), before)
    expect(opTypes(after)).toEqual(['Neg', 'If'])
    const flag = { dataType: 'bool', dims: [], data: Uint8Array.of(1) } as const
    await expectSameOutputs(before, after, { x: randomFloats([2]), flag })
  })

  it('deduplicateInitializers keeps one of equal constants', async () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .floats('a', [2], [1, 2])
      .floats('b', [2], [1, 2])
      .floats('c', [1, 2], [1, 2])
      .node('Add', ['x', 'a'], ['p'])
      .node('Mul', ['p', 'b'], ['q'])
      .node('Mul', ['q', 'c'], ['y'])
      .output('y')
      .build()
    const after = run(deduplicateInitializers(), before)
    expect([...after.graph.initializers.keys()]).toEqual(['a', 'c'])
    await expectSameOutputs(before, after, { x: randomFloats([2]) })
  })

  it('removeUnused removes chains nobody reads, but keeps what a body reads', () => {
    const before = model(opset)
      .input('x', 'float32', [2])
      .input('unused', 'float32', [2])
      .input('flag', 'bool', [])
      .floats('w', [2], [1, 2])
      .floats('captured', [2], [1, 2])
      .node('Mul', ['x', 'w'], ['p'])
      .node('Neg', ['p'], ['q'])
      .node('If', ['flag'], ['y'], {
        then_branch: branch('t', 'captured'),
        else_branch: branch('e', 'captured', 'Abs'),
      })
      .output('y')
      .build()
    const after = run(removeUnused(), before)
    expect(opTypes(after)).toEqual(['If'])
    expect([...after.graph.initializers.keys()]).toEqual(['captured'])
    expect(after.graph.inputs.map(({ name }) => name)).toEqual(['x', 'unused', 'flag'])
  })

  it('sortTopologically orders nodes that were written in another order', async () => {
    const ordered = model(opset)
      .input('x', 'float32', [2])
      .node('Neg', ['x'], ['a'])
      .node('Exp', ['a'], ['y'])
      .output('y')
      .build()
    const shuffled: Model = {
      ...ordered,
      graph: { ...ordered.graph, nodes: ordered.graph.nodes.toReversed() },
    }
    const after = sortTopologically().run(shuffled).model
    checkModel(after)
    await expectSameOutputs(ordered, after, { x: randomFloats([2]) })
  })
})

describe('prepareModel', () => {
  it('turns an old exporter’s network into plain layers that compute the same', async () => {
    // Opset 9 in the style of 2019: Constant nodes, listed initializers, Upsample, attributes.
    const channels = 4
    const builder = model({ opset: 9, irVersion: 3 })
      .input('image', 'float32', ['n', 3, 6, 6])
      .input('w', 'float32', [channels, 3, 3, 3])
      .floats('w', [channels, 3, 3, 3], numbers([channels, 3, 3, 3], 1))
      .floats('gamma', [channels], numbers([channels], 2))
      .floats('beta', [channels], numbers([channels], 3))
      .floats('mean', [channels], numbers([channels], 4))
      .floats('var', [channels], [1, 2, 3, 4])
      .floats('fc', [channels * 144, 5], numbers([channels * 144, 5], 5))
      .floats('fc_bias', [5], numbers([5], 6))
    for (const name of ['gamma', 'beta', 'mean', 'var']) builder.input(name, 'float32', [channels])
    builder
      .input('fc', 'float32', [channels * 144, 5])
      .input('fc_bias', 'float32', [5])
      .node('Pad', ['image'], ['padded'], { pads: [0, 0, 1, 1, 0, 0, 1, 1] })
      .node('Conv', ['padded', 'w'], ['conv'])
      .node('BatchNormalization', ['conv', 'gamma', 'beta', 'mean', 'var'], ['bn'])
      .node('Constant', [], ['factor'], {
        value: tensorFromFloats('float32', [1], Float32Array.of(0.5)),
      })
      .node('Mul', ['bn', 'factor'], ['scaled'])
      .node('Clip', ['scaled'], ['relu6'], { min: attr.float(0), max: attr.float(6) })
      .node('Constant', [], ['scales'], {
        value: tensorFromFloats('float32', [4], Float32Array.of(1, 1, 2, 2)),
      })
      .node('Upsample', ['relu6', 'scales'], ['up'], { mode: 'nearest' })
      .node('Dropout', ['up'], ['dropped'])
      .node('Flatten', ['dropped'], ['flat'])
      .node('MatMul', ['flat', 'fc'], ['product'])
      .node('Add', ['product', 'fc_bias'], ['logits'])
      .node('Softmax', ['logits'], ['y'])
      .output('y', 'float32', ['n', 5])
    const before = builder.build()
    const image = randomFloats([2, 3, 6, 6])
    const {
      model: after,
      shapes,
      diagnostics,
    } = await prepareModel(before, {
      open: openModel,
      feeds: { image },
    })
    checkModel(after)
    expect(onnxOpset(after)).toBe(13)
    expect(opTypes(after)).toEqual(['Conv', 'Clip', 'Resize', 'Flatten', 'Gemm', 'Softmax'])
    expect(diagnostics).toEqual([])
    expect(shapes.get('y')).toEqual({ dataType: 'float32', dims: [2, 5] })
    expect(shapes).toEqual(await learnShapes(after, openModel, { image }))
    await expectSameOutputs(before, after, { image })
    await expectSameOutputs(before, after, { image: randomFloats([1, 3, 6, 6], 9) })
  })

  it('keeps outputs that are also read inside, several inputs, and bodies', async () => {
    const before = model(opset)
      .input('a', 'float32', ['n', 2])
      .input('b', 'float32', ['n', 2])
      .input('flag', 'bool', [])
      .node('Identity', ['a'], ['i'])
      .node('Add', ['i', 'b'], ['sum'])
      .node('If', ['flag'], ['z'], {
        then_branch: branch('t', 'sum'),
        else_branch: branch('e', 'i', 'Abs'),
      })
      .node('Mul', ['z', 'sum'], ['y'])
      .output('sum')
      .output('y')
      .build()
    const feeds = {
      a: randomFloats([3, 2], 1),
      b: randomFloats([3, 2], 2),
      flag: { dataType: 'bool', dims: [], data: Uint8Array.of(0) } as const,
    }
    const { model: after } = await prepareModel(before, { open: openModel, feeds })
    checkModel(after)
    expect(opTypes(after)).toEqual(['Add', 'If', 'Mul'])
    await expectSameOutputs(before, after, feeds)
  })
})
