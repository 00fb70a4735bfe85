// Why a weight stays as it is: report rows and diagnostics.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'

export const WEIGHT_KEPT_REASONS = [
  'batched_weight',
  'excluded_by_name',
  'excluded_by_type',
  'gemm_form',
  'no_kernel',
  'not_smaller',
  'rank_unknown',
  'weight_not_constant',
  'weight_not_finite',
  'weight_not_float',
] as const

export type WeightKeptReason = (typeof WEIGHT_KEPT_REASONS)[number]

export interface StaysUnquantized {
  readonly reason: WeightKeptReason
  readonly message: string
}

export function stays(reason: WeightKeptReason, message: string): StaysUnquantized {
  return { reason, message }
}

export function keptDiagnostic(node: Node, { reason, message }: StaysUnquantized): Diagnostic {
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
