import { type Diagnostic, type Model, nodeLabel, walkNodes } from '@pare/graph'

/**
 * A warning for each name in `nodes_to_exclude` that no node of the model has, bodies of control flow
 * included: most likely it is misspelt, or preparation has made another node of it.
 */
export function unknownNames(
  { graph }: Model,
  { nodes_to_exclude: names }: { readonly nodes_to_exclude: readonly string[] },
): readonly Diagnostic[] {
  if (names.length === 0) return []
  const known = new Set<string>()
  for (const node of walkNodes(graph, { subgraphs: 'visit' }))
    known.add(node.name).add(nodeLabel(node))
  return [...new Set(names)]
    .filter((name) => !known.has(name))
    .map((name) => ({
      severity: 'warning',
      code: 'node_unknown',
      message: `nodes_to_exclude names "${name}", and the prepared model has no such node: nothing is excluded by it`,
      node: name,
    }))
}
