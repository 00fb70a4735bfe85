import {
  ACTIVATION_TYPES,
  type ActivationType,
  QUANT_FORMATS,
  type QuantFormat,
  REQUEST_TABLE,
  staticContradictions,
  STEP_TABLE,
  TARGET_ISAS,
  type TargetIsa,
  WEIGHT_TYPES,
  type WeightType,
} from '@pare/recipe'

import { errors } from '../errors.js'
import { isWide } from '../integers/integer-type.js'

export interface QuantizeStaticOptions {
  /**
   * Default `uint8`: one more bit than int8 for what follows a Relu, and the faster kernels. 16 bits
   * lose nearly nothing and gain no speed on a CPU: onnxruntime has no kernels for them there.
   */
  readonly activationType?: ActivationType
  /**
   * Default `int8`, symmetric. `uint8`, only with uint8 or 16-bit activations, has zero points (but
   * for a Conv with a scale per channel) and kernels that never saturate. `int16` needs 16-bit
   * activations.
   */
  readonly weightType?: WeightType
  /** One weight scale per output channel. Default true. */
  readonly perChannel?: boolean
  /** Activations with 0 in the middle of their integers. Default false. */
  readonly symmetric?: boolean
  /**
   * Seven instead of eight bits for weights. Default `auto`: only as far as needed to rule out
   * integer saturation on the target.
   */
  readonly reduceRange?: boolean | 'auto'
  /**
   * Values along a weight's input channels that share a scale; 0, the default: no blocks. Blocks lose
   * less, are computed in float, and cost 4 bytes each. Axes no longer than a block have none.
   */
  readonly blockSize?: number
  /** How integers are written into the graph. Default `QDQ`. */
  readonly format?: QuantFormat
  /** Default: every op type with an integer kernel. */
  readonly opTypesToQuantize?: readonly string[]
  /** Names of nodes that stay float. */
  readonly nodesToExclude?: readonly string[]
  /** Names of the only nodes that may be quantized. Default: all. */
  readonly nodesToQuantize?: readonly string[]
  /** Where the result will run. Default `auto`. */
  readonly isa?: TargetIsa
}

export type ResolvedStaticOptions = Required<
  Omit<QuantizeStaticOptions, 'opTypesToQuantize' | 'nodesToQuantize'>
> &
  Pick<QuantizeStaticOptions, 'opTypesToQuantize' | 'nodesToQuantize'>

const { parameters } = STEP_TABLE.quantize_static

/** Those of the recipe. */
const STATIC_DEFAULTS = {
  activationType: parameters.activation_type.default,
  weightType: parameters.weight_type.default,
  perChannel: parameters.per_channel.default,
  symmetric: parameters.symmetric.default,
  reduceRange: parameters.reduce_range.default,
  blockSize: parameters.block_size.default,
  format: parameters.format.default,
  nodesToExclude: parameters.nodes_to_exclude.default,
  isa: REQUEST_TABLE.target.parameters.isa.default,
} as const satisfies QuantizeStaticOptions

/** Whether onnxruntime's CPU kernels compute in integers with these options. */
export function hasIntegerKernels({ activationType }: ResolvedStaticOptions): boolean {
  return !isWide(activationType)
}

/** First opset with QuantizeLinear; per-channel weights need the `axis` of 13. */
const FIRST_OPSET = 10
const FIRST_PER_CHANNEL_OPSET = 13
/** 16-bit types and blocks. */
const FIRST_WIDE_OPSET = 21

/** The least opset in which the result can be written. */
export function neededOpset(options: ResolvedStaticOptions): number {
  if (isWide(options.activationType) || options.blockSize > 0) return FIRST_WIDE_OPSET
  return options.perChannel ? FIRST_PER_CHANNEL_OPSET : FIRST_OPSET
}

/** Fills in the defaults. Throws `quantization_options_invalid`. */
export function resolveStaticOptions(options: QuantizeStaticOptions): ResolvedStaticOptions {
  const resolved = { ...STATIC_DEFAULTS, ...options }
  requireOneOf('activationType', resolved.activationType, ACTIVATION_TYPES)
  requireOneOf('weightType', resolved.weightType, WEIGHT_TYPES)
  requireOneOf('format', resolved.format, QUANT_FORMATS)
  requireOneOf('isa', resolved.isa, TARGET_ISAS)
  if (!Number.isInteger(resolved.blockSize) || resolved.blockSize < 0) {
    throw errors.quantization_options_invalid(
      `blockSize ${resolved.blockSize} is not a number of values, 0 for no blocks`,
    )
  }
  const [contradiction] = staticContradictions(resolved)
  if (contradiction === undefined) return resolved
  throw errors.quantization_options_invalid(`${contradiction.option}: ${contradiction.message}`)
}

function requireOneOf(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return
  throw errors.quantization_options_invalid(`${option} ${value} is not one of ${known.join(', ')}`)
}
