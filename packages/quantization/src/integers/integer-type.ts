// The integer types of static quantization, and their limits.

import type { ActivationType } from '@pare/recipe'

export interface IntegerRange {
  readonly qmin: number
  readonly qmax: number
}

export const INTEGER_RANGES: Readonly<Record<ActivationType, IntegerRange>> = {
  uint8: { qmin: 0, qmax: 255 },
  int8: { qmin: -128, qmax: 127 },
  uint16: { qmin: 0, qmax: 65535 },
  int16: { qmin: -32768, qmax: 32767 },
}

/** The integer of 0 where it is in the middle. */
export const MIDDLES: Readonly<Record<ActivationType, number>> = {
  uint8: 128,
  int8: 0,
  uint16: 32768,
  int16: 0,
}

export function isWide(type: ActivationType): boolean {
  return type === 'uint16' || type === 'int16'
}

export function isSigned(type: ActivationType): boolean {
  return type === 'int8' || type === 'int16'
}

/** Symmetric weights leave −128 out, so that a weight and its negative are equally far away. */
export const SYMMETRIC_INT8: IntegerRange = { qmin: -127, qmax: 127 }

/** Seven bits, as onnxruntime's `reduce_range` for int8. */
export const REDUCED_INT8: IntegerRange = { qmin: -64, qmax: 64 }

export const INT32_MAX = 2147483647
