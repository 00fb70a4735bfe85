import { errors } from './errors.js'
import { ACTIVATION_TYPES, type ActivationType, type WeightType } from './integer-type.js'
import { TARGET_ISAS, type TargetIsa } from './saturation.js'

/**
 * `QDQ`: QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse.
 * `QOperator`: operators on integers (QLinearConv, QGemm, …), fast without any fusion.
 */
export const QUANT_FORMATS = ['QDQ', 'QOperator'] as const
export type QuantFormat = (typeof QUANT_FORMATS)[number]

export interface QuantizeStaticOptions {
  /** Default `uint8`: one more bit than int8 for what follows a Relu, and the faster kernels. */
  readonly activationType?: ActivationType
  /** Default, and for now only, `int8`. */
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

export const STATIC_DEFAULTS = {
  activationType: 'uint8',
  weightType: 'int8',
  perChannel: true,
  symmetric: false,
  reduceRange: 'auto',
  format: 'QDQ',
  nodesToExclude: [],
  isa: 'auto',
} as const satisfies QuantizeStaticOptions

/** Fills in the defaults. Throws `quantization_options_invalid`. */
export function resolveStaticOptions(options: QuantizeStaticOptions): ResolvedStaticOptions {
  const resolved = { ...STATIC_DEFAULTS, ...options }
  if (!ACTIVATION_TYPES.includes(resolved.activationType)) {
    throw errors.quantization_options_invalid(
      `activationType ${resolved.activationType} has no integer kernels; use ${ACTIVATION_TYPES.join(' or ')}`,
    )
  }
  if (!TARGET_ISAS.includes(resolved.isa)) {
    throw errors.quantization_options_invalid(
      `isa ${resolved.isa} is not one of ${TARGET_ISAS.join(', ')}`,
    )
  }
  return resolved
}
