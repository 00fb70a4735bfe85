import { describe, expect, it } from 'vitest'

import { checkModel } from './check-model.js'
import { editGraph } from './graph-editor.js'
import { model } from './testing.js'

const chain = () =>
  model()
    .input('x', 'float32', [2])
    .node('Relu', ['x'], ['a'])
    .named('relu')
    .node('Identity', ['a'], ['b'])
    .named('pass')
    .node('Exp', ['b'], ['y'])
    .named('exp')
    .output('y', 'float32', [2])
    .build()

const edges = (m: ReturnType<typeof chain>) =>
  m.graph.nodes.map(
    ({ opType, inputs, outputs }) => `${inputs.join(',')}>${opType}>${outputs.join(',')}`,
  )

describe('GraphEditor', () => {
  it('bypasses a node whose uses are replaced', () => {
    const before = chain()
    const editor = editGraph(before)
    const identity = before.graph.nodes[1]!
    editor.replaceUses('b', 'a')
    editor.removeNode(identity)
    const after = editor.finish()
    checkModel(after)
    expect(edges(after)).toEqual(['x>Relu>a', 'a>Exp>y'])
    expect(edges(before)).toHaveLength(3)
  })

  it('keeps the name of a graph output whose value is replaced', () => {
    const before = model()
      .input('x')
      .node('Relu', ['x'], ['a'])
      .node('Identity', ['a'], ['y'])
      .output('y')
      .build()
    const editor = editGraph(before)
    editor.replaceUses('y', 'a')
    editor.removeNode(before.graph.nodes[1]!)
    const after = editor.finish()
    checkModel(after)
    expect(edges(after)).toEqual(['x>Relu>y'])
  })

  it('appends nodes behind a graph output', () => {
    const editor = editGraph(chain())
    const q = editor.addNode({ opType: 'Neg', inputs: ['y'] })
    editor.replaceUses('y', q.outputs[0]!, { except: [q] })
    const after = editor.finish()
    checkModel(after)
    expect(edges(after).slice(2)).toEqual(['b>Exp>y_1', 'y_1>Neg>y'])
  })

  it('shows an input through an Identity where an output has nothing else to rename', () => {
    const before = model().input('x').node('Identity', ['x'], ['y']).output('y').build()
    const editor = editGraph(before)
    editor.replaceUses('y', 'x')
    editor.removeNode(before.graph.nodes[0]!)
    const after = editor.finish()
    checkModel(after)
    expect(edges(after)).toEqual(['x>Identity>y'])
  })

  it('swaps two outputs', () => {
    const before = model()
      .input('x')
      .node('Relu', ['x'], ['a'])
      .node('Exp', ['x'], ['b'])
      .node('Neg', ['a'], ['c'])
      .output('a')
      .output('b')
      .output('c')
      .build()
    const editor = editGraph(before)
    editor.replaceUses('a', 'tmp')
    editor.replaceUses('b', 'a')
    editor.replaceUses('tmp', 'b')
    const after = editor.finish()
    checkModel(after)
    const made = new Map(after.graph.nodes.map((n) => [n.opType, n.outputs[0]]))
    const source = (name: string) => after.graph.nodes.find((n) => n.outputs[0] === name)!
    expect(source('a').opType).toBe('Exp')
    expect(source('b').opType).toBe('Relu')
    expect(source('c').inputs[0]).toBe(made.get('Exp'))
  })
})
