import { attr, checkModel, type FunctionDefinition, type Model } from '@pare/graph'
import { type AttributeSpec, model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { inlineFunctions } from './inline-functions.js'

const domains = { local: 1 }

/** A function of the domain `local` whose body is that of a builder. */
function define(
  name: string,
  interfaceOf: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  body: ReturnType<typeof model>,
  more: Partial<FunctionDefinition> = {},
): FunctionDefinition {
  return {
    name,
    domain: 'local',
    attributes: [],
    attributeDefaults: new Map(),
    nodes: body.graph().nodes,
    opsetImports: [
      { domain: '', version: 21 },
      { domain: 'local', version: 1 },
    ],
    valueInfo: [],
    metadataProps: [],
    ...interfaceOf,
    ...more,
  }
}

const unary = { inputs: ['x'], outputs: ['y'] }

function reference(name: string): AttributeSpec {
  return { type: 'reference', name, referencedType: 'int' }
}

function run(before: Model) {
  const result = inlineFunctions().run(before)
  checkModel(result.model)
  return result
}

/** `name: opType(inputs) → outputs` of each node. */
function lines({ graph }: Model): string[] {
  return graph.nodes.map(
    ({ name, opType, inputs, outputs }) =>
      `${name}: ${opType}(${inputs.join()}) → ${outputs.join()}`,
  )
}

describe('inlineFunctions', () => {
  it('returns a model without functions as it is', () => {
    const before = model().input('a').node('Neg', ['a'], ['b']).output('b').build()
    expect(inlineFunctions().run(before)).toEqual({
      model: before,
      modified: false,
      diagnostics: [],
    })
  })

  it('names nodes and values after the call, and no two alike', () => {
    const twice = define(
      'Twice',
      unary,
      model().node('Neg', ['x'], ['t']).node('Abs', ['t'], ['y']),
    )
    const before = model({ domains })
      .input('a')
      .node('local::Twice', ['a'], ['b'])
      .named('first')
      .node('local::Twice', ['b'], ['first/t'])
      .node('local::Twice', ['first/t'], ['c'])
      .output('c')
      .function(twice)
      .build()
    const { model: after } = run(before)
    expect(lines(after)).toEqual([
      'first/Neg: Neg(a) → first/t_1',
      'first/Abs: Abs(first/t_1) → b',
      'Twice/Neg: Neg(b) → Twice/t',
      'Twice/Abs: Abs(Twice/t) → first/t',
      'Twice/Neg_1: Neg(first/t) → Twice/t_1',
      'Twice/Abs_1: Abs(Twice/t_1) → c',
    ])
    expect(after.functions).toEqual([])
    expect(after.opsetImports).toEqual([{ domain: '', version: 21 }])
  })

  it('does not let names grow with the depth of calls', () => {
    const name = 'n'.repeat(200)
    const inner = define('Inner', unary, model().node('Neg', ['x'], ['y']).named(name))
    const outer = define('Outer', unary, model().node('local::Inner', ['x'], ['y']).named(name))
    const before = model({ domains })
      .input('a')
      .node('local::Outer', ['a'], ['b'])
      .output('b')
      .function(inner)
      .function(outer)
      .build()
    expect(lines(run(before).model)).toEqual(['inlined: Neg(a) → b'])
  })

  it('fills references from the call, else the default, else leaves them out', () => {
    const body = model().node('Op', ['x'], ['y'], {
      given: reference('a'),
      standard: reference('b'),
      absent: reference('c'),
      fixed: 4,
    })
    const before = model({ domains })
      .input('i')
      .node('local::F', ['i'], ['o'], { a: 1, unread: 5 })
      .output('o')
      .function(
        define('F', unary, body, {
          attributes: ['a', 'c'],
          attributeDefaults: new Map([
            ['a', attr.int(2)],
            ['b', attr.int(3)],
          ]),
        }),
      )
      .build()
    const { attributes } = run(before).model.graph.nodes[0]!
    expect(Object.fromEntries(attributes)).toEqual({
      given: attr.int(1),
      standard: attr.int(3),
      fixed: attr.int(4),
    })
  })

  it('tells overloads apart', () => {
    const body = (opType: string) => model().node(opType, ['x'], ['y'])
    const built = model({ domains }).input('a').node('local::F', ['a'], ['b']).output('b')
    const before = built
      .function(define('F', unary, body('Neg')))
      .function(define('F', unary, body('Abs'), { overload: 'second' }))
      .build()
    const [call] = before.graph.nodes
    const other = { ...before.graph, nodes: [{ ...call!, overload: 'second' }] }
    expect(lines(run(before).model)).toEqual(['F/Neg: Neg(a) → b'])
    expect(lines(run({ ...before, graph: other }).model)).toEqual(['F/Abs: Abs(a) → b'])
  })

  it('expands a function that has the name of an operator', () => {
    const gelu = define('Gelu', unary, model().node('Neg', ['x'], ['y']), {
      domain: 'com.microsoft',
    })
    const before = model({ domains: { 'com.microsoft': 1 } })
      .input('a')
      .node('com.microsoft::Gelu', ['a'], ['b'])
      .output('b')
      .function(gelu)
      .build()
    expect(lines(run(before).model)).toEqual(['Gelu/Neg: Neg(a) → b'])
  })

  it('puts an Identity where an input is handed on or a value is two outputs', () => {
    const body = model().node('Neg', ['x'], ['n'])
    const both = define('Both', { inputs: ['x'], outputs: ['x', 'n', 'n'] }, body)
    const before = model({ domains })
      .input('a')
      .node('local::Both', ['a'], ['b', 'c', 'd'])
      .node('local::Both', ['a'], ['', 'e'])
      .output('b')
      .output('c')
      .output('d')
      .output('e')
      .function(both)
      .build()
    expect(lines(run(before).model)).toEqual([
      'Both/Neg: Neg(a) → c',
      'Both/Identity: Identity(a) → b',
      'Both/Identity_1: Identity(c) → d',
      'Both/Neg_1: Neg(a) → e',
    ])
  })

  it('leaves out inputs that the call leaves out', () => {
    const body = model().node('Clip', ['x', 'low', 'high'], ['y'])
    const clip = define('F', { inputs: ['x', 'low', 'high'], outputs: ['y'] }, body)
    const before = model({ domains })
      .input('a')
      .input('h')
      .node('local::F', ['a', '', 'h'], ['b'])
      .node('local::F', ['b'], ['c'])
      .output('c')
      .function(clip)
      .build()
    const { nodes } = run(before).model.graph
    expect(nodes.map(({ inputs }) => inputs)).toEqual([
      ['a', '', 'h'],
      ['b', '', ''],
    ])
  })

  it('names anew what a body of If, Loop or Scan inside a function defines', () => {
    const branch = (name: string) =>
      model().floats('w', [], [1]).node('Add', ['t', 'w'], [name]).output(name).graph()
    const body = model()
      .node('Neg', ['x'], ['t'])
      .node('If', ['flag'], ['y'], { then_branch: branch('p'), else_branch: branch('q') })
    const before = model({ domains })
      .input('t')
      .input('w')
      .input('flag', 'bool')
      .node('local::F', ['t', 'flag'], ['b'])
      .node('local::F', ['b', 'flag'], ['c'])
      .output('c')
      .function(define('F', { inputs: ['x', 'flag'], outputs: ['y'] }, body))
      .build()
    const { graph } = run(before).model
    const bodies = graph.nodes.flatMap(({ attributes }) =>
      [...attributes.values()].flatMap((one) => (one.type === 'graph' ? [one.value] : [])),
    )
    expect(bodies).toHaveLength(4)
    expect(bodies.map(({ nodes }) => nodes[0]?.inputs[0])).toEqual(['F/t', 'F/t', 'F/t_1', 'F/t_1'])
    expect(new Set(bodies.flatMap((one) => [...one.initializers.keys()])).size).toBe(4)
  })

  it('keeps a graph that the call passes on in the names of the caller', () => {
    const branch = (name: string) =>
      model().node('local::Inner', ['x'], [name]).output(name).graph()
    const body = model().node('If', ['flag'], ['y'], {
      then_branch: reference('then'),
      else_branch: reference('else'),
    })
    const before = model({ domains })
      .input('x')
      .input('flag', 'bool')
      .node('local::Choose', ['flag'], ['b'], { then: branch('p'), else: branch('q') })
      .output('b')
      .function(define('Choose', { inputs: ['flag'], outputs: ['y'] }, body))
      .function(define('Inner', unary, model().node('Neg', ['x'], ['y'])))
      .build()
    const { model: after } = run(before)
    const branches = [...after.graph.nodes[0]!.attributes.values()]
    expect(branches.flatMap((one) => (one.type === 'graph' ? one.value.nodes : []))).toMatchObject([
      { opType: 'Neg', inputs: ['x'], outputs: ['p'] },
      { opType: 'Neg', inputs: ['x'], outputs: ['q'] },
    ])
    expect(after.functions).toEqual([])
  })

  describe('opsets', () => {
    const build = (opType: string, version: number) =>
      model({ opset: 17, domains })
        .input('a')
        .node('local::F', ['a'], ['b'])
        .node('local::F', ['b'], ['c'])
        .output('c')
        .function(
          define('F', unary, model().node(opType, ['x'], ['y']), {
            opsetImports: [{ domain: '', version }],
          }),
        )
        .build()

    it('expands a function of another opset whose operators did not change', () => {
      expect(run(build('Sigmoid', 14)).model.functions).toEqual([])
    })

    it('expands an older function whose operators only accept more by now, not a newer one', () => {
      // Relu 14 takes integers too.
      expect(run(build('Relu', 13)).model.functions).toEqual([])
      // Reshape 19 and 21 take more types than the 14 of opset 17.
      expect(run(build('Reshape', 21)).model.functions).toHaveLength(1)
    })

    it('leaves one whose operators may mean something else, and says so once', () => {
      const before = build('Softmax', 11)
      const { model: after, diagnostics } = run(before)
      expect(after).toEqual(before)
      expect(diagnostics).toEqual([
        {
          severity: 'warning',
          code: 'function_not_inlined',
          message:
            'calls of the function F stay as they are: its Softmax is that of ai.onnx 11, and the model imports 17',
          node: 'b',
          opType: 'F',
        },
      ])
    })

    it('adopts a domain that only the function imports', () => {
      const body = model().node('com.microsoft::Gelu', ['x'], ['y'])
      const opsetImports = [{ domain: 'com.microsoft', version: 1 }]
      const before = model({ domains })
        .input('a')
        .node('local::F', ['a'], ['b'])
        .output('b')
        .function(define('F', unary, body, { opsetImports }))
        .build()
      expect(run(before).model.opsetImports).toEqual([{ domain: '', version: 21 }, ...opsetImports])
    })
  })

  it('leaves a call that does not fit its function', () => {
    const before = model({ domains })
      .input('a')
      .node('local::F', ['a', 'a'], ['b'])
      .node('local::Same', [], ['c'])
      .output('b')
      .output('c')
      .function(define('F', unary, model().node('Neg', ['x'], ['y'])))
      .function(define('Same', { inputs: ['x'], outputs: ['x'] }, model()))
      .build()
    const { model: after, diagnostics } = run(before)
    expect(after.graph.nodes).toEqual(before.graph.nodes)
    expect(after.functions).toHaveLength(2)
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'calls of the function F stay as they are: it takes 1 inputs',
      'calls of the function Same stay as they are: it hands on its input "x", which is omitted',
    ])
  })

  describe('limits', () => {
    it('refuses functions that call each other in a circle', () => {
      const before = model({ domains })
        .input('a')
        .node('local::F', ['a'], ['b'])
        .output('b')
        .function(define('F', unary, model().node('local::G', ['x'], ['y'])))
        .function(define('G', unary, model().node('local::F', ['x'], ['y'])))
        .build()
      expect(() => inlineFunctions().run(before)).toThrow(
        expect.objectContaining({ code: 'functions_too_large', fault: 'model' }),
      )
    })

    it('refuses functions that multiply, even when nothing is left of them', () => {
      const built = model({ domains }).input('a').node('local::F0', ['a'], []).output('a')
      for (let level = 0; level < 40; level++) {
        const next = `local::F${level + 1}`
        const body = model().node(next, ['x'], []).node(next, ['x'], [])
        built.function(define(`F${level}`, { inputs: ['x'], outputs: [] }, body))
      }
      built.function(define('F40', { inputs: ['x'], outputs: [] }, model()))
      const before = built.build()
      expect(() => inlineFunctions({ maxNodes: 1000 }).run(before)).toThrow(
        expect.objectContaining({ code: 'functions_too_large', details: { maxNodes: 1000 } }),
      )
    })
  })
})
