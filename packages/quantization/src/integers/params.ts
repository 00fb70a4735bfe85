// Scale and zero point: the affine map between real numbers and integers,
//   real = scale · (q − zeroPoint),  q = clip(roundHalfToEven(real / scale) + zeroPoint).
// The formulas are onnxruntime's (quantization/quant_utils.py), so its tools read our files alike.
import type { ActivationType } from '@pare/recipe'
import { clamp, roundHalfToEven } from '@pare/tensor'

import { INTEGER_RANGES, isSigned, MIDDLES } from './integer-type.js'

export interface RealRange {
  readonly min: number
  readonly max: number
}

export interface QuantizationParams {
  /** A float32 value greater than 0. */
  readonly scale: number
  readonly zeroPoint: number
}

/** The smallest normal float32: a smaller scale would lose its precision. */
const SMALLEST_SCALE = 2 ** -126

export interface ParamsOptions {
  /** Puts 0 in the middle of the integers and makes both ends equally far. */
  readonly symmetric: boolean
}

/**
 * Parameters for values in `range`:
 * 1. widen the range to contain 0, so that padding and Relu are exact;
 * 2. scale = (max − min) / (qmax − qmin), in float64, then rounded to float32;
 * 3. zeroPoint = roundHalfToEven(qmin − min / scale), or the middle when symmetric;
 * 4. a range too narrow for a normal float32 scale gives scale 1 and the lowest zero point, so that
 *    a folded Relu still cuts at 0.
 */
export function activationParams(
  range: RealRange,
  type: ActivationType,
  options: ParamsOptions,
): QuantizationParams {
  const { qmin, qmax } = INTEGER_RANGES[type]
  let min = Math.min(range.min, 0)
  let max = Math.max(range.max, 0)
  if (options.symmetric) {
    max = Math.max(-min, max)
    min = -max
  }
  const levels = options.symmetric && isSigned(type) ? qmax - qmin - 1 : qmax - qmin
  const scale = Math.fround((max - min) / levels)
  const middle = MIDDLES[type]
  if (!(scale >= SMALLEST_SCALE) || !Number.isFinite(scale)) {
    return { scale: 1, zeroPoint: options.symmetric ? middle : qmin }
  }
  if (options.symmetric) return { scale, zeroPoint: middle }
  return { scale, zeroPoint: clamp(roundHalfToEven(qmin - min / scale), qmin, qmax) }
}

/**
 * Scale of symmetric weights whose greatest magnitude is `absMax`; the zero point is 0. All zeros,
 * or values below what float32 can scale, give 1.
 */
export function symmetricScale(absMax: number, qmax: number): number {
  const scale = Math.fround(absMax / qmax)
  return scale >= SMALLEST_SCALE && Number.isFinite(scale) ? scale : 1
}
