// Constants in the narrow type: rounded half to even, with a policy for what does not fit.
import { type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

import type { OverflowPolicy } from './options.js'
import type { NarrowType } from './signature.js'

export interface NarrowLimits {
  /** Greatest finite value. */
  readonly max: number
  /** Least value that rounds away from the greatest finite one, to infinity. */
  readonly overflow: number
  /** Least positive (subnormal) value. */
  readonly minPositive: number
}

export const LIMITS: Readonly<Record<NarrowType, NarrowLimits>> = {
  float16: { max: 65504, overflow: 65520, minPositive: 2 ** -24 },
  bfloat16: {
    max: 2 ** 127 * (2 - 2 ** -7),
    overflow: 2 ** 127 * (2 - 2 ** -8),
    minPositive: 2 ** -133,
  },
}

/** From here on a constant stands for infinity. */
const STANDS_FOR_INFINITY = 1e8

/** What the conversion of one constant changed beyond rounding, in elements. */
export interface NarrowingReport {
  /** Finite values beyond the range that became the greatest finite one. */
  readonly clamped: number
  /** Nonzero values that became 0. */
  readonly flushed: number
  /** Nonzero values that were raised to `minPositive`. */
  readonly raised: number
}

export interface NarrowingOptions {
  readonly type: NarrowType
  /** Nonzero magnitudes below become it; 0 lets them round to 0. */
  readonly raiseTo: number
}

export function narrowConstant(
  tensor: Tensor,
  { type, raiseTo }: NarrowingOptions,
): { readonly tensor: Tensor; readonly report: NarrowingReport } {
  const limits = LIMITS[type]
  const least = raiseTo > 0 ? Math.max(raiseTo, limits.minPositive) : 0
  const source = toFloat32(tensor)
  const values = new Float32Array(source)
  let [clamped, flushed, raised] = [0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(source[i]!)
    if (magnitude >= limits.overflow && magnitude !== Infinity) {
      values[i] = Math.sign(source[i]!) * limits.max
      clamped++
    } else if (magnitude !== 0 && magnitude < least) {
      values[i] = Math.sign(source[i]!) * least
      raised++
    } else if (magnitude !== 0 && magnitude <= limits.minPositive / 2) flushed++
  }
  return {
    tensor: { ...tensor, ...tensorFromFloats(type, tensor.dims, values) },
    report: { clamped, flushed, raised },
  }
}

/** Whether the constant may be converted under the policy; otherwise its greatest magnitude. */
export function constantOverflow(
  tensor: Tensor,
  type: NarrowType,
  policy: OverflowPolicy,
): number | undefined {
  if (policy === 'clamp') return undefined
  const { overflow } = LIMITS[type]
  const ignoreFrom = policy === 'auto' ? STANDS_FOR_INFINITY : Infinity
  let greatest = 0
  const values = toFloat32(tensor)
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!)
    if (magnitude >= overflow && magnitude < ignoreFrom && magnitude > greatest) {
      greatest = magnitude
    }
  }
  return greatest === 0 ? undefined : greatest
}
