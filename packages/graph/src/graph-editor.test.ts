import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { checkModel } from './check-model.js'
import { editGraph } from './graph-editor.js'
import type { Graph } from './model.js'
import { model } from './testing.js'
import { subgraphsOf } from './walk.js'

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

describe('editBodies', () => {
  const inside = () =>
    model()
      .node('Relu', ['x'], ['inner'])
      .node('Add', ['inner', 'w'], ['shown'])
      .output('shown', 'float32', [2])
      .graph()
  const outside = () =>
    model()
      .input('flag', 'bool', [])
      .input('x', 'float32', [2])
      .floats('w', [2], [1, 2])
      .node('If', ['flag'], ['y'], { then_branch: inside(), else_branch: inside() })
      .output('y', 'float32', [2])
      .build()

  it('sees outer constants and gives names that no graph of the model has', () => {
    const before = outside()
    const editor = editGraph(before)
    const added: string[] = []
    editor.editBodies(before.graph.nodes[0]!, (body) => {
      expect(body.constant('w')?.dims).toEqual([2])
      expect(body.isInitializer('w')).toBe(false)
      const relu = body.nodes()[0]!
      const neg = body.insertBefore(relu, { opType: 'Neg', inputs: ['x'] })
      body.setInput(relu, 0, neg.outputs[0]!)
      added.push(...neg.outputs)
    })
    const after = editor.finish()
    checkModel(after)
    expect(new Set(added).size).toBe(2)
    for (const body of subgraphsOf(after.graph.nodes[0]!)) {
      expect(body.nodes.map(({ opType }) => opType)).toEqual(['Neg', 'Relu', 'Add'])
    }
  })

  it('counts what a changed body reads', () => {
    const before = outside()
    const editor = editGraph(before)
    const v = editor.addInitializer('v', before.graph.initializers.get('w')!)
    editor.editBodies(before.graph.nodes[0]!, (body) => {
      body.setInput(body.nodes()[1]!, 1, v)
    })
    expect(editor.removeUnusedInitializers()).toEqual(['w'])
    checkModel(editor.finish())
  })

  it('leaves a node whose bodies stay the same as it is', () => {
    const before = outside()
    const editor = editGraph(before)
    expect(editor.editBodies(before.graph.nodes[0]!, () => undefined)).toBe(before.graph.nodes[0])
  })
})

describe('names and tensors', () => {
  it('makes fresh names that nothing in the model uses, bodies included', () => {
    const body = model()
      .floats('w_1', [1], [1])
      .node('Add', ['x', 'w_1'], ['z'])
      .output('z')
      .graph()
    const before = model()
      .input('x')
      .input('c', 'bool', [])
      .floats('w', [1], [1])
      .node('If', ['c'], ['y'], { then_branch: body, else_branch: body })
      .named('if')
      .output('y')
      .build()
    const editor = editGraph(before)
    const tensor = before.graph.initializers.get('w')!
    expect(editor.addInitializer('w', tensor)).toBe('w_2')
    expect(editor.uniqueName('w')).toBe('w_3')
    expect(editor.uniqueName('new')).toBe('new')
    const node = editor.addNode({ opType: 'Relu', inputs: ['x'], name: 'if' })
    expect(node.name).toBe('if_1')
    expect(editor.finish().graph.initializers.get('w')).toBe(tensor)
  })

  it('removes initializers that nothing reads, on demand', () => {
    const before = model()
      .input('x')
      .input('unused', 'float32', [1])
      .floats('unused', [1], [1])
      .floats('used', [1], [1])
      .floats('shown', [1], [1])
      .node('Add', ['x', 'used'], ['y'])
      .output('y')
      .output('shown')
      .build()
    const editor = editGraph(before)
    expect(editor.removeUnusedInitializers()).toEqual(['unused'])
    const { graph } = editor.finish()
    expect([...graph.initializers.keys()]).toEqual(['used', 'shown'])
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x'])
  })

  it('forgets declared types of values that are gone', () => {
    const before = model()
      .input('x')
      .value('a', 'float32', [2])
      .node('Relu', ['x'], ['a'])
      .node('Exp', ['a'], ['y'])
      .output('y')
      .build()
    const editor = editGraph(before)
    editor.replaceUses('a', 'x')
    editor.removeNode(before.graph.nodes[0]!)
    expect(editor.finish().graph.valueInfo).toEqual([])
  })
})

describe('editing nodes', () => {
  it('replaces one node by several that make its outputs', () => {
    const before = chain()
    const editor = editGraph(before)
    editor.replaceNode(before.graph.nodes[1]!, [
      { opType: 'Neg', inputs: ['a'], outputs: ['n'] },
      { opType: 'Neg', inputs: ['n'] },
    ])
    const after = editor.finish()
    checkModel(after)
    expect(edges(after)).toEqual(['x>Relu>a', 'a>Neg>n', 'n>Neg>b', 'b>Exp>y'])
  })

  it('takes any earlier version of a node for the node', () => {
    const before = chain()
    const editor = editGraph(before)
    const relu = before.graph.nodes[0]!
    editor.updateNode(relu, { opType: 'Sigmoid' })
    const abs = editor.insertBefore(relu, { opType: 'Abs', inputs: ['x'] })
    editor.setInput(relu, 0, abs.outputs[0]!)
    expect(editor.current(relu)?.opType).toBe('Sigmoid')
    const after = editor.finish()
    checkModel(after)
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual([
      'Abs',
      'Sigmoid',
      'Identity',
      'Exp',
    ])
  })

  it('refuses a node that was removed or never was there', () => {
    const before = chain()
    const editor = editGraph(before)
    const node = before.graph.nodes[1]!
    editor.removeNode(node)
    expect(editor.current(node)).toBeUndefined()
    for (const foreign of [node, chain().graph.nodes[0]!]) {
      expect(() => editor.removeNode(foreign)).toThrow(
        expect.objectContaining({ code: 'graph_edit_invalid' }),
      )
    }
  })

  it('puts nodes into order and refuses a circle', () => {
    const editor = editGraph(chain())
    const late = editor.addNode({ opType: 'Neg', inputs: ['x'] })
    const relu = editor.producer('a')!
    editor.setInput(relu, 0, late.outputs[0]!)
    expect(editor.finish().graph.nodes.map(({ opType }) => opType)).toEqual([
      'Neg',
      'Relu',
      'Identity',
      'Exp',
    ])
    editor.setInput(relu, 0, 'y')
    expect(() => editor.finish()).toThrow(expect.objectContaining({ code: 'graph_edit_invalid' }))
  })
})

describe('edits that must not change the result', () => {
  /** Values are texts: what an operator does to its inputs, Identity nothing. */
  const evaluate = (graph: Graph, outer: ReadonlyMap<string, string> = new Map()): string[] => {
    const values = new Map(outer)
    for (const { name } of graph.inputs) values.set(name, name)
    const read = (name: string) => values.get(name)!
    for (const node of graph.nodes) {
      const inputs = node.inputs.map(read).join(',')
      const bodies = subgraphsOf(node).map((body) => evaluate(body, values).join(','))
      const made = `${node.opType}(${[inputs, ...bodies].join(';')})`
      values.set(node.outputs[0]!, node.opType === 'Identity' ? inputs : made)
    }
    return graph.outputs.map(({ name }) => read(name))
  }

  const picks = fc.array(fc.nat({ max: 1000 }), { minLength: 3, maxLength: 30 })

  /** A graph of Neg, Identity, Add and If over the values before them. */
  const grow = (choices: readonly number[]) => {
    const builder = model().input('x').input('c', 'bool', [])
    const values = ['x']
    const value = (choice: number) => values[choice % values.length]!
    choices.forEach((choice, i) => {
      const [a, b, out] = [value(choice), value(choice * 7 + 1), `v${i}`]
      const body = model({ name: 'body' })
        .node('Add', [a, b], [`${out}_z`])
        .output(`${out}_z`)
      if (choice % 4 === 0) builder.node('Neg', [a], [out])
      else if (choice % 4 === 1) builder.node('Identity', [a], [out])
      else if (choice % 4 === 2) builder.node('Add', [a, b], [out])
      else builder.node('If', ['c'], [out], { then_branch: body.graph() })
      values.push(out)
    })
    for (const name of new Set([values.at(-1)!, values.at(-2)!, values[1]!])) builder.output(name)
    return builder.build()
  }

  it('removing and inserting Identity nodes anywhere', () => {
    fc.assert(
      fc.property(picks, picks, (choices, edits) => {
        const before = grow(choices)
        const editor = editGraph(before)
        for (const edit of edits) {
          const nodes = editor.nodes()
          const node = nodes[edit % nodes.length]
          if (node === undefined) break
          const [output] = node.outputs
          if (node.opType === 'Identity' && edit % 2 === 0) {
            editor.replaceUses(output!, node.inputs[0]!)
            editor.removeNode(node)
          } else {
            const added = editor.addNode({ opType: 'Identity', inputs: [output!] })
            editor.replaceUses(output!, added.outputs[0]!, { except: [added] })
          }
        }
        const after = editor.finish()
        checkModel(after)
        expect(after.graph.outputs).toEqual(before.graph.outputs)
        expect(evaluate(after.graph)).toEqual(evaluate(before.graph))
      }),
      { numRuns: 500 },
    )
  })
})
