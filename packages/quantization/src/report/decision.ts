// Why a layer stays as it is, told to whoever owns the model.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'
import { type LayerDecision, severityOf, type WhyNot } from '@pare/recipe'

export function toDiagnostic(node: Node, { reason, message }: WhyNot): Diagnostic {
  const said = `${node.opType} ${nodeLabel(node)} stays float: ${message}`
  return note(node, { severity: severityOf(reason), code: reason, message: said })
}

function note(
  node: Node,
  diagnostic: Pick<Diagnostic, 'severity' | 'code' | 'message'>,
): Diagnostic {
  return { ...diagnostic, node: nodeLabel(node), opType: node.opType }
}

/** Which layer a row is about. */
export function identity(node: Node): Pick<LayerDecision, 'node' | 'opType' | 'output'> {
  return { node: nodeLabel(node), opType: node.opType, output: node.outputs[0]! }
}
