// What a step did with each layer, and why it left some as they were: one row and one vocabulary for all
// steps, so that reports and searches read them alike.
import type { PLAIN_STEP_TABLE } from './steps/plain-step-table.js'

interface ReasonRow {
  /** What is said of the layer where the step has nothing closer to say. */
  readonly sentence: string
  /** The owner of the model should hear of it; the others are how it is meant to be. */
  readonly isWarning?: true
}

/** Why a layer, or its weight, is left as it is. Codes are stable; sentences are not. */
export const REASONS = {
  accuracy_fallback: { sentence: 'it would cost more accuracy than the job allows' },
  activation_operands: { sentence: 'it multiplies two activations' },
  activation_out_of_range: {
    sentence: 'its values do not fit into the narrow type',
    isWarning: true,
  },
  batched_weight: { sentence: 'its weight has batch dimensions' },
  bias_not_constant: { sentence: 'its bias is computed' },
  bias_too_large: { sentence: 'its bias does not fit into int32', isWarning: true },
  branch_not_taken: {
    sentence: 'no sample of the calibration data takes its branch',
    isWarning: true,
  },
  channels_in_groups: { sentence: 'it takes channels in groups of equal size' },
  clip_bounds: { sentence: 'it is clipped at bounds other than 0' },
  computed_from_integers: { sentence: 'it computes with integers, which have to stay exact' },
  decomposed_operator: { sentence: 'it is a part of an operator that the exporter took apart' },
  detector_tail: { sentence: 'it computes boxes and scores at the end of a detector' },
  excluded_by_name: { sentence: 'the recipe excludes it by name' },
  excluded_by_type: { sentence: 'the recipe excludes its operator' },
  fewest_casts: { sentence: 'its neighbours are float32: converting it would only add Casts' },
  gemm_form: { sentence: 'it multiplies in a form that has no kernel' },
  graph_output: { sentence: 'it is an output of the model' },
  in_subgraph: { sentence: 'it is in a body that is left as it is' },
  input_float: { sentence: 'its input is float' },
  input_not_scalable: { sentence: 'its input cannot be scaled' },
  layer_form: { sentence: 'it has a form in which channels cannot be scaled' },
  layout_unknown: { sentence: 'where its channels lie is not known' },
  no_calibration_range: { sentence: 'calibration saw no values of it', isWarning: true },
  no_channel_maxima: { sentence: 'no data was seen of its channels' },
  no_kernel: { sentence: 'the runtime has no kernel for it in that form' },
  no_narrow_type: { sentence: 'its operator is not defined for the narrow type' },
  no_small_weights: { sentence: 'it has no weights that are small enough' },
  not_fused_by_runtime: { sentence: 'the runtime made no integer kernel of it', isWarning: true },
  not_homogeneous: { sentence: 'scaling its input does not scale its output alike' },
  not_smaller: { sentence: 'it would not become smaller' },
  not_worth_converting: { sentence: 'it saves less than converting its values costs' },
  operand_not_scalable: { sentence: 'another operand cannot be scaled along' },
  operand_not_tied: { sentence: 'the channels of another operand are not known' },
  opset_too_old: { sentence: 'it needs a newer opset', isWarning: true },
  output_float: { sentence: 'its output is float' },
  ranges_too_different: { sentence: 'its parts have ranges that differ too much for one scale' },
  rank_unknown: { sentence: 'the rank of its input is not known' },
  unknown_operator: { sentence: 'what its operator does is not known', isWarning: true },
  unknown_type: { sentence: 'the type of one of its inputs is not known', isWarning: true },
  weight_not_constant: { sentence: 'its weight is computed, not an initializer' },
  weight_not_finite: { sentence: 'its weight holds values that are not finite' },
  weight_not_float: { sentence: 'its weight is not float' },
  weight_not_float32: { sentence: 'its weight is not float32' },
  weight_out_of_range: {
    sentence: 'its constants do not fit into the narrow type',
    isWarning: true,
  },
  weight_shared: { sentence: 'its weight is read elsewhere too' },
} as const satisfies Readonly<Record<string, ReasonRow>>

export type Reason = keyof typeof REASONS

/** Why a layer is left as it is, of this layer: "its weight …". */
export interface WhyNot {
  readonly reason: Reason
  readonly message: string
}

export function whyNot(reason: Reason, message: string = REASONS[reason].sentence): WhyNot {
  return { reason, message }
}

/** How much the owner of the model should care. */
export function severityOf(reason: Reason): 'warning' | 'info' {
  const row: ReasonRow = REASONS[reason]
  return row.isWarning === true ? 'warning' : 'info'
}

/** What became of a layer: what its step makes, or (`float`, `float32`, `kept`) nothing. */
export type Decision = Steps[keyof Steps]['makes'][number] | 'float' | 'float32' | 'kept'

type Steps = typeof PLAIN_STEP_TABLE

/** What a step decided for one node: a row of `report.json`, as it stands there. */
export interface LayerDecision<Made extends Decision = Decision> {
  readonly node: string
  readonly opType: string
  /** The node's first output: it names the layer even where nodes have no names. */
  readonly output: string
  readonly decision: Made
  /** Why it is left as it is. */
  readonly reason?: Reason
  readonly message?: string
}
