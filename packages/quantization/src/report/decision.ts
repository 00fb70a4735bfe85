// What was decided for each node, and why: the report's rows and the customer's explanation.
import { type Diagnostic, type Node, nodeLabel } from '@pare/graph'

export const FLOAT_REASONS = [
  'accuracy_fallback',
  'activation_operands',
  'batched_weight',
  'bias_not_constant',
  'bias_too_large',
  'branch_not_taken',
  'decomposed_operator',
  'detector_tail',
  'excluded_by_name',
  'excluded_by_type',
  'gemm_form',
  'in_subgraph',
  'input_float',
  'no_calibration_range',
  'no_integer_kernel',
  'not_fused_by_runtime',
  'not_worth_converting',
  'opset_too_old',
  'output_float',
  'ranges_too_different',
  'weight_not_constant',
  'weight_not_float32',
] as const

export type FloatReason = (typeof FLOAT_REASONS)[number]

export interface StaysFloat {
  readonly reason: FloatReason
  readonly message: string
}

export function staysFloat(reason: FloatReason, message: string): StaysFloat {
  return { reason, message }
}

/** Reasons of which the owner of the model should hear; the others are how it is meant to be. */
const WARNINGS: ReadonlySet<FloatReason> = new Set<FloatReason>([
  'bias_too_large',
  'branch_not_taken',
  'no_calibration_range',
  'not_fused_by_runtime',
  'opset_too_old',
])

export function toDiagnostic(node: Node, stays: StaysFloat): Diagnostic {
  return {
    severity: WARNINGS.has(stays.reason) ? 'warning' : 'info',
    code: stays.reason,
    message: `${node.opType} ${nodeLabel(node)} stays float: ${stays.message}`,
    node: nodeLabel(node),
    opType: node.opType,
  }
}
