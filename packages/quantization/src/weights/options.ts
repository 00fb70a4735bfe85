import type { OpType } from '@pare/ops'
import {
  STEP_TABLE,
  WEIGHT_ALGORITHMS,
  WEIGHT_BITS,
  WEIGHT_BLOCK_SIZES,
  WEIGHT_FORMATS,
  WEIGHT_OP_TYPES,
  type WeightAlgorithm,
  type WeightBits,
  type WeightFormat,
} from '@pare/recipe'

import { errors } from '../errors.js'

/** How a weight is written; `Cast` as integers that Cast and Mul turn into a constant (write-cast.ts). */
export type StoredFormat = Exclude<WeightFormat, 'auto'> | 'Cast'

/** What MatMulNBits computes in. 0 and 1: float32; 4: int8. */
export type AccuracyLevel = 0 | 1 | 2 | 3 | 4

export interface QuantizeWeightsOptions {
  /** Default 4. 2 not with QDQ; with `auto`, weights that nothing reads in 2 bits get 4. */
  readonly bits?: WeightBits
  /** Weights along the summed dimension that share a scale: a power of two, 16 to 256. Default 32. */
  readonly blockSize?: number
  /** No zero points: smaller and faster, less accurate. Default false. */
  readonly symmetric?: boolean
  /**
   * `auto` (default): MatMulNBits where there is such a kernel, and for convolutions integers that
   * become float weights when the model is loaded. `MatMulNBits`: onnxruntime's kernels alone, which
   * never expand the weights. `QDQ`: standard operators of opset 21, for any runtime.
   */
  readonly format?: WeightFormat
  /** Default `rtn`. `gptq` and `awq` need Gram matrices; other operators than MatMul and Gemm get `rtn`. */
  readonly algorithm?: WeightAlgorithm
  /**
   * MatMulNBits computes in: 0 or 1 float32, 4 int8. Default `auto`: what is faster for each layer
   * (`fasterLevel`), by the shapes that the context gives.
   */
  readonly accuracyLevel?: AccuracyLevel | 'auto'
  /** Default MatMul, Gemm and Gather; but for MatMulNBits also Conv and ConvTranspose. */
  readonly opTypesToQuantize?: readonly string[]
  /** Names (or first outputs) of nodes that stay as they are, e.g. the first and the last layer. */
  readonly nodesToExclude?: readonly string[]
  /** Bits of single nodes, by name or first output. */
  readonly bitsByNode?: Readonly<Record<string, WeightBits>>
  /** GPTQ: λ added to the diagonal of XᵀX, as a fraction of its mean. Default 0.01. */
  readonly damping?: number
  /** GPTQ: columns of the largest inputs first. Default false. */
  readonly actOrder?: boolean
  /** AWQ: where a scale cannot be folded into what comes before, insert a Mul. Default true. */
  readonly insertMul?: boolean
  /** AWQ: exponents tried up to 1, each with and without regard to the weights. Default 20. */
  readonly alphaSteps?: number
}

export type ResolvedWeightsOptions = Required<QuantizeWeightsOptions>

const { parameters } = STEP_TABLE.quantize_weights

const WEIGHTS_DEFAULTS = {
  bits: parameters.bits.default,
  blockSize: parameters.block_size.default,
  symmetric: parameters.symmetric.default,
  format: parameters.format.default,
  algorithm: parameters.algorithm.default,
  accuracyLevel: 'auto',
  nodesToExclude: parameters.nodes_to_exclude.default,
  bitsByNode: {},
  damping: parameters.damping.default,
  actOrder: parameters.act_order.default,
  insertMul: true,
  alphaSteps: 20,
} as const satisfies QuantizeWeightsOptions

const DEFAULT_OP_TYPES: Readonly<Record<WeightFormat, readonly OpType[]>> = {
  auto: WEIGHT_OP_TYPES,
  MatMulNBits: ['MatMul', 'Gemm', 'Gather'],
  QDQ: WEIGHT_OP_TYPES,
}

/** `auto` decided by the operator. */
export function storedFormat(opType: string, format: WeightFormat): StoredFormat {
  if (format !== 'auto') return format
  return opType.startsWith('Conv') ? 'Cast' : 'MatMulNBits'
}

/** Fills in the defaults. Throws `quantization_options_invalid`. */
export function resolveWeightsOptions(options: QuantizeWeightsOptions): ResolvedWeightsOptions {
  const format = options.format ?? WEIGHTS_DEFAULTS.format
  requireOneOf('format', format, WEIGHT_FORMATS)
  const resolved = {
    ...WEIGHTS_DEFAULTS,
    opTypesToQuantize: DEFAULT_OP_TYPES[format],
    ...options,
  }
  requireOneOf('bits', resolved.bits, WEIGHT_BITS)
  requireOneOf('algorithm', resolved.algorithm, WEIGHT_ALGORITHMS)
  requireOneOf('blockSize', resolved.blockSize, WEIGHT_BLOCK_SIZES)
  requireOneOf('accuracyLevel', resolved.accuracyLevel, ['auto', 0, 1, 2, 3, 4])
  for (const type of resolved.opTypesToQuantize) {
    requireOneOf('opTypesToQuantize', type, WEIGHT_OP_TYPES satisfies readonly OpType[])
  }
  const allBits = [resolved.bits, ...Object.values(resolved.bitsByNode)]
  for (const bits of allBits) requireOneOf('bitsByNode', bits, WEIGHT_BITS)
  if (format === 'QDQ' && allBits.includes(2)) {
    throw errors.quantization_options_invalid(
      'DequantizeLinear has no 2-bit weights in opset 21; use format MatMulNBits or 4 bits',
    )
  }
  if (!(resolved.damping >= 0 && resolved.damping <= 1)) {
    throw errors.quantization_options_invalid('damping is a fraction between 0 and 1')
  }
  if (!Number.isInteger(resolved.alphaSteps) || resolved.alphaSteps < 1) {
    throw errors.quantization_options_invalid('alphaSteps is a positive integer')
  }
  return resolved
}

function requireOneOf(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return
  throw errors.quantization_options_invalid(
    `${name} ${String(value)} is not one of ${allowed.join(', ')}`,
  )
}
