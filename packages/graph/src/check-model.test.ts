import { describe, expect, it } from 'vitest'

import { checkModel, findModelFaults } from './check-model.js'
import type { Model } from './model.js'
import { model } from './testing.js'

const codes = (m: Model) => findModelFaults(m).map(({ code, node }) => [code, node ?? ''])

describe('checkModel', () => {
  it('accepts a graph in order, with optional inputs left out', () => {
    const m = model()
      .input('x')
      .floats('low', [], [0])
      .node('Clip', ['x', '', 'low'], ['a'])
      .node('Relu', ['a'], ['y'])
      .output('y')
      .build()
    expect(findModelFaults(m)).toEqual([])
  })

  it('accepts a body that captures a value and hides an outer initializer', () => {
    const body = model().floats('k', [1], [1]).node('Add', ['a', 'k'], ['z']).output('z').graph()
    const m = model()
      .input('x')
      .input('c', 'bool', [])
      .floats('k', [1], [2])
      .node('Add', ['x', 'k'], ['a'])
      .node('If', ['c'], ['y'], { then_branch: body, else_branch: body })
      .output('y')
      .build()
    expect(findModelFaults(m)).toEqual([])
  })

  it('names the node that reads what nothing defines', () => {
    const m = model().input('x').node('Add', ['x', 'w'], ['y']).named('add').output('y').build()
    expect(() => checkModel(m)).toThrow(
      expect.objectContaining({
        code: 'graph_invalid',
        message: 'Add "add" reads "w", which nothing defines',
      }),
    )
  })

  it('tells a wrong order from a missing value', () => {
    const m = model()
      .input('x')
      .node('Relu', ['a'], ['y'])
      .node('Exp', ['x'], ['a'])
      .output('y')
      .build()
    expect(codes(m)).toEqual([['not_in_order', 'y']])
  })

  it('finds a value that is defined twice', () => {
    const m = model()
      .input('x')
      .node('Relu', ['x'], ['y'])
      .node('Exp', ['x'], ['y'])
      .named('exp')
      .output('y')
      .build()
    expect(codes(m)).toEqual([['duplicate_value', 'exp']])
  })

  it('finds a body whose node hides an outer value, or that returns one', () => {
    const hiding = model().node('Relu', ['x'], ['a']).output('a').graph()
    const returning = model().output('x').graph()
    const m = model()
      .input('x')
      .input('c', 'bool', [])
      .node('Exp', ['x'], ['a'])
      .node('If', ['c'], ['y'], { then_branch: hiding, else_branch: returning })
      .output('y')
      .build()
    expect(codes(m)).toEqual([
      ['duplicate_value', 'a'],
      ['undefined_output', ''],
    ])
  })

  it('finds what a body reads before the outer graph defines it', () => {
    const body = model().node('Relu', ['late'], ['z']).output('z').graph()
    const m = model()
      .input('x')
      .input('c', 'bool', [])
      .node('If', ['c'], ['y'], { then_branch: body, else_branch: body })
      .node('Exp', ['x'], ['late'])
      .output('y')
      .build()
    expect(codes(m).map(([code]) => code)).toEqual(['undefined_value', 'undefined_value'])
  })

  it('finds two nodes of one name, a foreign domain and an output of nothing', () => {
    const m = model()
      .input('x')
      .node('Relu', ['x'], ['a'])
      .named('same')
      .node('com.microsoft::Gelu', ['a'], ['b'])
      .named('same')
      .output('y')
      .build()
    expect(codes(m)).toEqual([
      ['duplicate_node_name', 'same'],
      ['domain_not_imported', 'same'],
      ['undefined_output', ''],
    ])
  })

  it('checks function bodies by themselves', () => {
    const m = model()
      .function({
        name: 'F',
        domain: 'local',
        inputs: ['a'],
        outputs: ['b'],
        attributes: [],
        attributeDefaults: new Map(),
        nodes: model().node('Add', ['a', 'x'], ['c']).build().graph.nodes,
        opsetImports: [{ domain: '', version: 21 }],
        valueInfo: [],
        metadataProps: [],
      })
      .input('x')
      .build()
    expect(codes(m)).toEqual([
      ['undefined_value', 'c'],
      ['undefined_output', ''],
    ])
  })

  it('counts all faults and lists the first twenty', () => {
    const builder = model()
    for (let i = 0; i < 30; i++) builder.node('Relu', [`missing${i}`], [`y${i}`])
    expect(() => checkModel(builder.build())).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('and 29 more') as string,
        details: expect.objectContaining({ count: 30 }) as object,
      }),
    )
  })
})
