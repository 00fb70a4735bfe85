// Why a weight stays as it is.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'
import type { WhyNot } from '@pare/recipe'

export function keptDiagnostic(node: Node, { reason, message }: WhyNot): Diagnostic {
  return note(node, reason, `${node.opType} ${nodeLabel(node)} keeps its weight: ${message}`)
}

export function note(
  node: Node,
  code: string,
  message: string,
  severity: Diagnostic['severity'] = 'info',
): Diagnostic {
  return { severity, code, message, node: nodeLabel(node), opType: node.opType }
}
