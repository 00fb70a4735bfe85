// Expanding functions must not change what the model computes: onnxruntime, which expands them
// itself, judges.
import { attr, checkModel, type FunctionDefinition, type Model } from '@pare/graph'
import { type AttributeSpec, model } from '@pare/graph/testing'
import { inlineFunctions, prepareModel } from '@pare/passes'
import { createRandom, elementCount, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, openModel, randomFloats } from '../support/run-model.js'

const options = { opset: 17, irVersion: 10, domains: { local: 1 } }

function numbers(dims: readonly number[], seed: number): number[] {
  const { normal } = createRandom(seed)
  return Array.from({ length: elementCount(dims) }, normal)
}

/** A function of the domain `local`: inputs and outputs of the builder are those of the function. */
function define(
  name: string,
  body: ReturnType<typeof model>,
  more: Partial<FunctionDefinition> = {},
): FunctionDefinition {
  const { nodes, inputs, outputs } = body.graph()
  return {
    name,
    domain: 'local',
    inputs: inputs.map((value) => value.name),
    outputs: outputs.map((value) => value.name),
    attributes: [],
    attributeDefaults: new Map(),
    nodes,
    opsetImports: [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ],
    valueInfo: [],
    metadataProps: [],
    ...more,
  }
}

function reference(name: string, referencedType: 'int' | 'float'): AttributeSpec {
  return { type: 'reference', name, referencedType }
}

function opTypes({ graph }: Model): string[] {
  return graph.nodes.map(({ opType }) => opType)
}

function inline(before: Model): Model {
  checkModel(before)
  const { model: after, diagnostics } = inlineFunctions().run(before)
  checkModel(after)
  expect(diagnostics).toEqual([])
  expect(after.functions).toEqual([])
  return after
}

const scaled = define(
  'Scaled',
  model()
    .input('x')
    .node('Constant', [], ['slope'], { value_float: reference('slope', 'float') })
    .node('Mul', ['x', 'slope'], ['m'])
    .node('Softmax', ['m'], ['y'], { axis: reference('axis', 'int') })
    .output('y'),
  { attributes: ['slope'], attributeDefaults: new Map([['axis', attr.int(-1)]]) },
)

describe('inlineFunctions', () => {
  it('fills attribute references and defaults, in functions of functions too', async () => {
    const outer = define(
      'Outer',
      model()
        .input('x')
        .node('local::Scaled', ['x'], ['a'], { slope: reference('slope', 'float') })
        .node('local::Scaled', ['a'], ['y'], { slope: attr.float(3), axis: 0 })
        .output('y')
        .output('a'),
      { attributes: ['slope'] },
    )
    const before = model(options)
      .input('x', 'float32', [2, 3])
      .node('local::Outer', ['x'], ['y', 'a'], { slope: attr.float(0.5) })
      .node('local::Outer', ['y'], ['z', 'b'], { slope: attr.float(-2) })
      .output('y')
      .output('a')
      .output('z')
      .function(scaled)
      .function(outer)
      .build()
    const after = inline(before)
    expect(opTypes(after)).toHaveLength(12)
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })

  it('keeps what omitted inputs and handed-on inputs mean', async () => {
    const build = (handsOn: boolean) => {
      const body = model()
        .input('x')
        .input('high')
        .input('low')
        .node('Clip', ['x', 'low', 'high'], ['c'])
        .node('Sub', ['x', 'c'], ['rest'])
        .output('c')
        .output(handsOn ? 'x' : 'copy')
        .output('rest')
      if (!handsOn) body.node('Identity', ['x'], ['copy'])
      return model(options)
        .input('x', 'float32', [5])
        .floats('limit', [], [-0.5])
        .node('local::Split', ['x', 'limit'], ['a', 'again', 'b'])
        .node('local::Split', ['again', 'limit', 'limit'], ['c', 'same', 'd'])
        .output('b')
        .output('c')
        .output('same')
        .output('d')
        .function(define('Split', body))
        .build()
    }
    const feeds = { x: randomFloats([5]) }
    // onnxruntime refuses a function that hands an input on, so it gets a copy in its place.
    const oracle = build(false)
    await expectSameOutputs(oracle, inline(oracle), feeds)
    await expectSameOutputs(oracle, inline(build(true)), feeds)
  })

  it('expands inside bodies, and bodies inside functions', async () => {
    const branch = (name: string, slope: number) =>
      model()
        .node('local::Scaled', ['t'], [name], { slope: attr.float(slope) })
        .output(name)
        .graph()
    const choose = define(
      'Choose',
      model()
        .input('x')
        .input('flag')
        .node('Exp', ['x'], ['t'])
        .node('If', ['flag'], ['y'], { then_branch: branch('p', 2), else_branch: branch('q', -1) })
        .output('y'),
    )
    const before = model(options)
      .input('x', 'float32', [2, 3])
      .input('flag', 'bool', [])
      .node('Neg', ['x'], ['t'])
      .node('local::Choose', ['t', 'flag'], ['a'])
      .node('If', ['flag'], ['b'], { then_branch: branch('p', 2), else_branch: branch('q', -1) })
      .node('Sub', ['a', 'b'], ['y'])
      .output('y')
      .function(scaled)
      .function(choose)
      .build()
    const after = inline(before)
    for (const flag of [0, 1]) {
      const feeds = {
        x: randomFloats([2, 3]),
        flag: { dataType: 'bool', dims: [], data: Uint8Array.of(flag) } as const,
      }
      await expectSameOutputs(before, after, feeds)
    }
  })

  it('takes the definition in the file for an operator that the runtime knows', async () => {
    const gelu = define('Gelu', model().input('x').node('Neg', ['x'], ['y']).output('y'), {
      domain: 'com.microsoft',
    })
    const before = model({ opset: 17, irVersion: 10, domains: { 'com.microsoft': 1 } })
      .input('x', 'float32', [4])
      .node('com.microsoft::Gelu', ['x'], ['y'])
      .output('y')
      .function(gelu)
      .build()
    const expected = model(options).input('x', 'float32', [4]).node('Neg', ['x'], ['y'])
    await expectSameOutputs(expected.output('y').build(), inline(before), {
      x: randomFloats([4]),
    })
  })
})

describe('prepareModel', () => {
  it('folds layers that an exporter left inside functions, and raises their opset', async () => {
    const block = define(
      'Block',
      model()
        .input('x')
        .input('w')
        .input('scale')
        // Out of order, as some exporters write bodies.
        .node('BatchNormalization', ['c', 'scale', 'scale', 'scale', 'scale'], ['n'])
        .node('Conv', ['x', 'w'], ['c'], { pads: [1, 1, 1, 1] })
        .node('Squeeze', ['n'], ['s'], { axes: [2] })
        .node('Unsqueeze', ['s'], ['y'], { axes: [2] })
        .output('y'),
      { opsetImports: [{ domain: '', version: 12 }] },
    )
    const before = model({ ...options, opset: 12 })
      .input('x', 'float32', [1, 3, 1, 5])
      .floats('w', [3, 3, 3, 3], numbers([81], 1))
      .floats('s', [3], [1, 2, 3])
      .node('local::Block', ['x', 'w', 's'], ['a'])
      .node('local::Block', ['a', 'w', 's'], ['y'])
      .output('y')
      .function({ ...block, nodes: [block.nodes[1]!, block.nodes[0]!, ...block.nodes.slice(2)] })
      .build()
    const unsorted = { ...before, functions: [block] }
    const x = randomFloats([1, 3, 1, 5])
    const { model: after, diagnostics } = await prepareModel(unsorted, {
      open: openModel,
      feeds: { x },
    })
    checkModel(after)
    expect(diagnostics).toEqual([])
    expect(opTypes(after)).not.toContain('BatchNormalization')
    expect(opTypes(after).filter((opType) => opType === 'Conv')).toHaveLength(2)
    expect(after.opsetImports).toEqual([{ domain: '', version: 13 }])
    await expectSameOutputs(before, after, { x })
  })

  it('still prepares a model whose function means another opset', async () => {
    const old = define('Old', model().input('x').node('Softmax', ['x'], ['y']).output('y'), {
      opsetImports: [{ domain: '', version: 12 }],
    })
    const before = model(options)
      .input('x', 'float32', [2, 3])
      .initializer('shape', tensorFromInts('int64', [2], [3, 2]))
      .node('Reshape', ['x', 'shape'], ['r'])
      .node('local::Old', ['r'], ['y'])
      .output('y')
      .function(old)
      .build()
    const { model: after, diagnostics } = await prepareModel(before, {
      open: openModel,
      feeds: { x: randomFloats([2, 3]) },
    })
    expect(diagnostics.map(({ code }) => code)).toEqual(['function_not_inlined'])
    expect(after.functions).toHaveLength(1)
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })
})
