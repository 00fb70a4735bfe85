// The types and formats of static quantization, and which of them go together.

/** onnxruntime's CPU kernels compute with 8 bits; 16 bits are for other targets. */
export const ACTIVATION_TYPES = ['uint8', 'int8', 'uint16', 'int16'] as const
export type ActivationType = (typeof ACTIVATION_TYPES)[number]

export const WEIGHT_TYPES = ['int8', 'uint8', 'int16'] as const
export type WeightType = (typeof WEIGHT_TYPES)[number]

/** Of activations and weights alike, for GPUs. */
export const FLOAT8 = 'float8e4m3fn'

/**
 * `QDQ`: QuantizeLinear and DequantizeLinear around float operators, which runtimes fuse.
 * `QOperator`: operators on integers (QLinearConv, QGemm, …), fast without any fusion.
 */
export const QUANT_FORMATS = ['QDQ', 'QOperator'] as const
export type QuantFormat = (typeof QUANT_FORMATS)[number]

interface Combination {
  readonly activationType: ActivationType
  readonly weightType: WeightType
  readonly format: QuantFormat
  readonly blockSize: number
}

export interface StaticContradiction {
  readonly option: keyof Combination
  readonly message: string
}

/** Why options exclude each other, each with the one to change. */
export function staticContradictions(options: Combination): readonly StaticContradiction[] {
  const { activationType, weightType, format, blockSize } = options
  const isWide = activationType === 'uint16' || activationType === 'int16'
  const found: StaticContradiction[] = []
  const add = (option: keyof Combination, message: string) => found.push({ option, message })
  if (weightType === 'uint8' && activationType === 'int8') {
    add('weightType', 'uint8 weights have no kernels with int8 activations; use uint8 activations')
  }
  if (weightType === 'int16' && !isWide) {
    add('weightType', 'int16 weights need int16 or uint16 activations')
  }
  if (format === 'QOperator' && isWide) {
    add('format', `QOperator has no operators for ${activationType} activations; use QDQ`)
  }
  if (format === 'QOperator' && blockSize > 0) {
    add('format', 'QOperator has no operators for weights in blocks; use QDQ')
  }
  return found
}
