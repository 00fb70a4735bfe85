// Constants in the narrow type: rounded half to even, with a policy for what does not fit.
import type { NarrowType, OverflowPolicy } from '@pare/recipe'
import { type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

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
  const values = toFloat32(tensor)
  const report = count(values, limits, least)
  const fitted = report.clamped + report.raised === 0 ? values : fit(values, limits, least)
  return {
    tensor: { ...tensor, ...tensorFromFloats(type, tensor.dims, fitted) },
    report,
  }
}

/** Works on bit patterns, which are ordered as the magnitudes are: weights are many. */
function count(values: Float32Array, limits: NarrowLimits, least: number): NarrowingReport {
  const bits = patterns(values)
  const [overflow, raise, flush] = [limits.overflow, least, limits.minPositive / 2].map(pattern)
  let [clamped, flushed, raised] = [0, 0, 0]
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff
    if (magnitude >= overflow!) clamped += magnitude < INFINITE ? 1 : 0
    else if (magnitude < raise!) raised += magnitude > 0 ? 1 : 0
    else if (magnitude <= flush!) flushed += magnitude > 0 ? 1 : 0
  }
  return { clamped, flushed, raised }
}

function fit(values: Float32Array, limits: NarrowLimits, least: number): Float32Array {
  return values.map((value) => {
    const magnitude = Math.abs(value)
    if (magnitude >= limits.overflow && magnitude !== Infinity) return Math.sign(value) * limits.max
    return magnitude < least ? Math.sign(value) * least : value
  })
}

/** Bit pattern of infinity; NaN lies above. */
const INFINITE = 0x7f800000

function patterns(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

function pattern(value: number): number {
  return patterns(Float32Array.of(value))[0]!
}

/** The greatest magnitude that forbids the conversion under the policy; undefined where none does. */
export function constantOverflow(
  tensor: Tensor,
  type: NarrowType,
  policy: OverflowPolicy,
): number | undefined {
  if (policy === 'clamp') return undefined
  const overflow = pattern(LIMITS[type].overflow)
  const ignored = policy === 'auto' ? pattern(STANDS_FOR_INFINITY) : INFINITE
  const bits = patterns(toFloat32(tensor))
  let greatest = 0
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff
    if (magnitude >= overflow && magnitude < ignored && magnitude > greatest) greatest = magnitude
  }
  return greatest === 0 ? undefined : new Float32Array(Uint32Array.of(greatest).buffer)[0]
}

/** Share of a constant's energy that rounding to subnormal values may take: 30 dB are left. */
const MOST_LOST = 1e-3

/**
 * Whether a constant is so small that the narrow type's least values are too coarse for it. Only
 * float16 has so few exponents.
 */
export function isTooSmall(tensor: Tensor, type: NarrowType): boolean {
  if (type !== 'float16') return false
  const step = LIMITS.float16.minPositive
  let [energy, lost] = [0, 0]
  for (const value of toFloat32(tensor)) {
    energy += value * value
    // From 1024 steps on values have 11 bits.
    if (Math.abs(value) < 1024 * step) lost += (value - Math.round(value / step) * step) ** 2
  }
  return lost > MOST_LOST * energy
}
