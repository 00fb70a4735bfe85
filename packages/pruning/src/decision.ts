// Why a layer's weight stays as it is: report rows and diagnostics.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'

export const PRUNING_KEPT_REASONS = [
  'excluded_by_name',
  'excluded_by_type',
  'no_small_weights',
  'weight_not_constant',
  'weight_not_float',
  'weight_shared',
] as const

export type PruningKeptReason = (typeof PRUNING_KEPT_REASONS)[number]

export interface StaysDense {
  readonly reason: PruningKeptReason
  readonly message: string
}

export function stays(reason: PruningKeptReason, message: string): StaysDense {
  return { reason, message }
}

export function keptDiagnostic(node: Node, { reason, message }: StaysDense): Diagnostic {
  const text = `${node.opType} ${nodeLabel(node)} keeps its weights: ${message}`
  return note(node, { severity: 'info', code: reason, message: text })
}

export function note(
  node: Node,
  diagnostic: Pick<Diagnostic, 'severity' | 'code' | 'message'>,
): Diagnostic {
  return { ...diagnostic, node: nodeLabel(node), opType: node.opType }
}
