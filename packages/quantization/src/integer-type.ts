// The integer types that onnxruntime's CPU kernels compute with, and their limits.
export const ACTIVATION_TYPES = ['uint8', 'int8'] as const
export type ActivationType = (typeof ACTIVATION_TYPES)[number]

export const WEIGHT_TYPES = ['int8'] as const
export type WeightType = (typeof WEIGHT_TYPES)[number]

export interface IntegerRange {
  readonly qmin: number
  readonly qmax: number
}

export const INTEGER_RANGES: Readonly<Record<ActivationType, IntegerRange>> = {
  uint8: { qmin: 0, qmax: 255 },
  int8: { qmin: -128, qmax: 127 },
}

/** Symmetric weights leave −128 out, so that a weight and its negative are equally far away. */
export const SYMMETRIC_INT8: IntegerRange = { qmin: -127, qmax: 127 }

/** Seven bits, as onnxruntime's `reduce_range` for int8. */
export const REDUCED_INT8: IntegerRange = { qmin: -64, qmax: 64 }

export const INT32_MAX = 2147483647
