// Rules:
// 1. A node none of whose outputs is read is removed, last first, so that chains go in one run.
// 2. Then initializers that nothing reads are removed.
// 3. Graph inputs stay, read or not: they are the model's interface.
import { editGraph, type Model, type Pass, type PassResult } from '@pare/graph'

export function removeUnused(): Pass {
  return { name: 'remove_unused', run }
}

function run(model: Model): PassResult {
  const editor = editGraph(model)
  let removed = 0
  for (const node of [...model.graph.nodes].reverse()) {
    if (node.outputs.some((output) => output !== '' && editor.isUsed(output))) continue
    editor.removeNode(node)
    removed++
  }
  removed += editor.removeUnusedInitializers().length
  if (removed === 0) return { model, modified: false, diagnostics: [] }
  return { model: editor.finish(), modified: true, diagnostics: [] }
}
