import { describe, expect, it } from 'vitest'

import { findModelFaults } from './check-model.js'
import { editGraph } from './graph-editor.js'
import type { Pass } from './pass.js'
import { defineRewrite, miss, rewritePass } from './rewrite.js'
import { repeat, runPass, runPasses, sequence } from './run-passes.js'
import { model } from './testing.js'

/** Removes one Identity whose input is not a graph input. */
const removeIdentity = rewritePass(
  defineRewrite({
    name: 'remove-identity',
    opTypes: ['Identity'],
    match: (node, index) =>
      index.isGraphInput(node.inputs[0]!)
        ? miss('shows_input', 'its input is an input of the graph')
        : { node },
    rewrite: ({ node }, editor) => {
      editor.replaceUses(node.outputs[0]!, node.inputs[0]!)
      editor.removeNode(node)
    },
  }),
)

const identities = () =>
  model()
    .input('x')
    .node('Identity', ['x'], ['a'])
    .named('first')
    .node('Identity', ['a'], ['b'])
    .node('Identity', ['b'], ['c'])
    .node('Relu', ['c'], ['y'])
    .output('y')
    .build()

describe('rewritePass', () => {
  it('rewrites every match in one run and reports what it left, and why', () => {
    const { model: after, modified, diagnostics } = runPass(removeIdentity, identities())
    expect(modified).toBe(true)
    expect(after.graph.nodes.map(({ inputs, outputs }) => [inputs, outputs])).toEqual([
      [['x'], ['a']],
      [['a'], ['y']],
    ])
    expect(diagnostics).toEqual([
      {
        severity: 'info',
        code: 'shows_input',
        message: 'its input is an input of the graph',
        node: 'first',
        opType: 'Identity',
      },
    ])
  })

  it('returns the same model when nothing matches', () => {
    const before = model().input('x').node('Relu', ['x'], ['y']).output('y').build()
    const result = removeIdentity.run(before)
    expect(result).toEqual({ model: before, modified: false, diagnostics: [] })
    expect(result.model).toBe(before)
  })

  it('says that it does not enter bodies', () => {
    const body = model().node('Identity', ['x'], ['z']).output('z').graph()
    const before = model()
      .input('x')
      .input('c', 'bool', [])
      .node('If', ['c'], ['y'], { then_branch: body, else_branch: body })
      .output('y')
      .build()
    expect(removeIdentity.run(before).diagnostics).toMatchObject([{ code: 'subgraph_skipped' }])
  })
})

describe('runPasses', () => {
  const breakModel: Pass = {
    name: 'break-model',
    run: (m) => {
      const editor = editGraph(m)
      editor.removeNode(m.graph.nodes[0]!)
      return { model: editor.finish(), modified: true, diagnostics: [] }
    },
  }

  it('names the pass that broke the model, and those before it', async () => {
    await expect(runPasses(identities(), [removeIdentity, breakModel])).rejects.toMatchObject({
      code: 'pass_broke_model',
      message: expect.stringContaining('"break-model" (after remove-identity)') as string,
    })
    expect(() => sequence('both', [removeIdentity, breakModel]).run(identities())).toThrow(
      expect.objectContaining({ code: 'pass_broke_model' }),
    )
  })

  it('does not blame a pass for what was broken before', async () => {
    const broken = breakModel.run(identities()).model
    const { model: after } = await runPasses(broken, [removeIdentity])
    expect(findModelFaults(after)).not.toEqual([])
  })
})

describe('repeat', () => {
  const removeOne: Pass = {
    name: 'remove-one',
    run: (m) => {
      const node = m.graph.nodes.find(({ opType }) => opType === 'Identity')
      if (node === undefined) return { model: m, modified: false, diagnostics: [] }
      const editor = editGraph(m)
      editor.replaceUses(node.outputs[0]!, node.inputs[0]!)
      editor.removeNode(node)
      return { model: editor.finish(), modified: true, diagnostics: [] }
    },
  }

  it('runs until a round changes nothing', () => {
    const result = repeat('all', [removeOne], { maxRounds: 10 }).run(identities())
    expect(result.model.graph.nodes).toHaveLength(1)
    expect(result.modified).toBe(true)
  })

  it('stops after its last round', () => {
    const result = repeat('two', [removeOne], { maxRounds: 2 }).run(identities())
    expect(result.model.graph.nodes).toHaveLength(2)
  })
})
