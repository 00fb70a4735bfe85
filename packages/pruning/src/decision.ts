// Why a layer's weight stays as it is: report rows and diagnostics.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'
import type { WhyNot } from '@pare/recipe'

export function keptDiagnostic(node: Node, { reason, message }: WhyNot): Diagnostic {
  const text = `${node.opType} ${nodeLabel(node)} keeps its weights: ${message}`
  return note(node, { severity: 'info', code: reason, message: text })
}

export function note(
  node: Node,
  diagnostic: Pick<Diagnostic, 'severity' | 'code' | 'message'>,
): Diagnostic {
  return { ...diagnostic, node: nodeLabel(node), opType: node.opType }
}
