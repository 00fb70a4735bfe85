import type { OpType } from '@pare/ops'
import {
  NARROW_TYPES,
  type NarrowType,
  OVERFLOW_POLICIES,
  type OverflowPolicy,
  STEP_TABLE,
} from '@pare/recipe'
import type { DataType } from '@pare/tensor'

import { errors } from '../errors.js'

/** Calibration statistics of any kind: all know the least and greatest finite value. */
export interface ActivationRanges {
  readonly tensors: Readonly<
    Record<
      string,
      { readonly state: { readonly range?: { readonly min: number; readonly max: number } } }
    >
  >
}

export interface ConvertFloat16Options {
  /** Default `float16`. `bfloat16` has the range of float32, and hardly a kernel on a CPU. */
  readonly type?: NarrowType
  /** Graph inputs and outputs stay float32, with one Cast each. Default true. */
  readonly keepIoTypes?: boolean
  /** Op types that stay float32; replaces the default list. Default FLOAT16_BLOCKED_OPS. */
  readonly opBlockList?: readonly string[]
  /** Names of nodes that stay float32. Default none. */
  readonly nodeBlockList?: readonly string[]
  /**
   * Finite constants beyond the range. `clamp`: they become the greatest finite value.
   * `keep_float32`: the ops that read them stay float32. Default `auto`: clamp stand-ins for
   * infinity (magnitude 1e8 and more, as in attention masks), keep the op for others.
   */
  readonly overflow?: OverflowPolicy
  /**
   * Least magnitude of a nonzero scalar or divisor (an epsilon must not become 0), at least the
   * type's least positive number. Elements of other constants round to 0. Default 1e-7.
   */
  readonly minPositive?: number
  /**
   * Ranges of the values from a calibration of this model: nodes whose values do not fit stay
   * float32. Without, activations are not judged.
   */
  readonly statistics?: ActivationRanges
  /**
   * Calibration does not see everything: a value fits when `headroom` times its range does.
   * Default 2.
   */
  readonly headroom?: number
  /** Types of values that the file does not state, e.g. the shapes of a prepared model. */
  readonly types?: ReadonlyMap<string, { readonly dataType: DataType }>
}

/**
 * Stay float32 by default: sums over many values (CumSum, ReduceProd, …), functions of large
 * arguments (Cos, Sin), selections where rounding makes ties (TopK, NonMaxSuppression, coordinates
 * of RoiAlign), generators, which would give other values, BitCast, which reads bits, and
 * MeanVarianceNormalization, whose definition adds a float32 constant.
 */
export const FLOAT16_BLOCKED_OPS = [
  'Bernoulli',
  'BitCast',
  'Cos',
  'CumProd',
  'CumSum',
  'DFT',
  'DequantizeLinear',
  'Det',
  'DynamicQuantizeLinear',
  'EyeLike',
  'MaxRoiPool',
  'MeanVarianceNormalization',
  'Multinomial',
  'NegativeLogLikelihoodLoss',
  'NonMaxSuppression',
  'OneHot',
  'QuantizeLinear',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Range',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceProd',
  'ReduceSumSquare',
  'RoiAlign',
  'STFT',
  'Sin',
  'SoftmaxCrossEntropyLoss',
  'Tan',
  'TopK',
  'Unique',
  'Upsample',
] as const satisfies readonly OpType[]

const { parameters } = STEP_TABLE.convert_float16

const FLOAT16_DEFAULTS = {
  type: parameters.float_type.default,
  keepIoTypes: parameters.keep_io_types.default,
  opBlockList: FLOAT16_BLOCKED_OPS,
  nodeBlockList: parameters.nodes_to_exclude.default,
  overflow: parameters.overflow.default,
  minPositive: 1e-7,
  headroom: 2,
} as const satisfies ConvertFloat16Options

export type ResolvedFloat16Options = Required<Omit<ConvertFloat16Options, 'statistics' | 'types'>> &
  Pick<ConvertFloat16Options, 'statistics' | 'types'>

/** Fills in the defaults. Throws `quantization_options_invalid`. */
export function resolveFloat16Options(options: ConvertFloat16Options): ResolvedFloat16Options {
  const resolved: ResolvedFloat16Options = { ...FLOAT16_DEFAULTS, ...options }
  if (!OVERFLOW_POLICIES.includes(resolved.overflow)) {
    throw errors.quantization_options_invalid(
      `overflow ${resolved.overflow} is not one of ${OVERFLOW_POLICIES.join(', ')}`,
    )
  }
  if (!NARROW_TYPES.includes(resolved.type)) {
    throw errors.quantization_options_invalid(
      `type ${resolved.type} is not one of ${NARROW_TYPES.join(', ')}`,
    )
  }
  if (!(resolved.minPositive >= 0 && resolved.minPositive < 1)) {
    throw errors.quantization_options_invalid('minPositive is not between 0 and 1')
  }
  if (!(resolved.headroom >= 1)) {
    throw errors.quantization_options_invalid('headroom is less than 1')
  }
  return resolved
}
