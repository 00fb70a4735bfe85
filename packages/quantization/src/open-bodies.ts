// Whose bodies quantizers enter. Bodies of other operators (BeamSearch, SequenceMap) follow rules of
// their own, and stay as they are.
import { type Diagnostic, type Node, nodeLabel, subgraphsOf } from '@pare/graph'
import { opSet } from '@pare/ops'

const CONTROL_FLOW = opSet('If', 'Loop', 'Scan')

export function hasOpenBodies(node: Node): boolean {
  return node.domain === '' && CONTROL_FLOW.has(node.opType) && subgraphsOf(node).length > 0
}

/** For a node with bodies that are not entered. */
export function skippedBody(node: Node): Diagnostic | undefined {
  if (hasOpenBodies(node) || subgraphsOf(node).length === 0) return undefined
  return {
    severity: 'info',
    code: 'subgraph_skipped',
    message: `weights in the body of ${node.opType} ${nodeLabel(node)} stay as they are`,
    node: nodeLabel(node),
    opType: node.opType,
  }
}
