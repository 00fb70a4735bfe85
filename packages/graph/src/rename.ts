// Renaming values in nodes and in the bodies that capture them.
import type { Graph, Node } from './model.js'
import { definedValues, freeValues, mapSubgraphs } from './walk.js'

/** The node reading `to` wherever it read `from`, in its bodies too. */
export function renameReads(node: Node, from: string, to: string): Node {
  const renamed = mapSubgraphs(node, (body) => renameFree(body, from, to))
  if (!renamed.inputs.includes(from)) return renamed
  return { ...renamed, inputs: replaceName(renamed.inputs, from, to) }
}

export function replaceName(names: readonly string[], from: string, to: string): readonly string[] {
  return names.map((name) => (name === from ? to : name))
}

function renameFree(graph: Graph, from: string, to: string): Graph {
  if (!freeValues(graph).has(from) || definesName(graph, from)) return graph
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameReads(node, from, to)),
    outputs: graph.outputs.map((value) => (value.name === from ? { ...value, name: to } : value)),
  }
}

function definesName(graph: Graph, name: string): boolean {
  for (const defined of definedValues(graph)) if (defined === name) return true
  return false
}
