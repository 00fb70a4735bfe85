// The k smallest of any number of magnitudes, exactly, in two walks and without sorting: the bits of a
// float32 without its sign grow with its magnitude, so 16 of them tell in which of 65,536 buckets the
// k-th lies, and the other 15 which one of the bucket it is. Infinities and NaN are greater than all.

/** What falls: magnitudes whose bits are less than `bits`, and the first `ties` that equal them. */
export interface Cut {
  readonly bits: number
  readonly ties: number
}

const MAGNITUDE = 0x7fffffff
const LOW_BITS = 15
const LOW_MASK = 2 ** LOW_BITS - 1
/** Bits of infinity; NaN lies above. */
const INFINITE = 0x7f800000

/** The bits of float32 values, signs included; shares their memory. */
export function bitsOfFloats(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

/**
 * Where the `count` smallest magnitudes end. `parts` gives the values (as `bitsOfFloats`) in their
 * order, and is walked twice. Only finite values fall: there may be fewer than `count`.
 */
export function cutSmallest(parts: () => Iterable<Uint32Array>, count: number): Cut {
  const high = new Float64Array(2 ** 16)
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) high[(part[i]! & MAGNITUDE) >>> LOW_BITS]!++
  }
  const finite = sum(high.subarray(0, INFINITE >>> LOW_BITS))
  const wanted = Math.min(count, finite)
  if (wanted === 0) return { bits: 0, ties: 0 }
  const bucket = placeOf(high, wanted)
  const low = new Float64Array(2 ** LOW_BITS)
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) {
      const bits = part[i]! & MAGNITUDE
      if (bits >>> LOW_BITS === bucket.index) low[bits & LOW_MASK]!++
    }
  }
  const exact = placeOf(low, bucket.rank)
  return { bits: bucket.index * 2 ** LOW_BITS + exact.index, ties: exact.rank }
}

/** Where magnitudes end that are less than `threshold`, compared without rounding it. */
export function cutBelow(threshold: number): Cut {
  const rounded = Math.fround(threshold)
  const [bits] = bitsOfFloats(Float32Array.of(rounded))
  return { bits: rounded < threshold ? bits! + 1 : bits!, ties: 0 }
}

/**
 * A mask of what falls in each of the parts that it is called with, in their order: ties fall until
 * there are enough.
 */
export function fallingAt({ bits, ties }: Cut): (part: Uint32Array) => Uint8Array {
  let left = ties
  return (part) => {
    const mask = new Uint8Array(part.length)
    for (let i = 0; i < part.length; i++) {
      const magnitude = part[i]! & MAGNITUDE
      if (magnitude < bits) mask[i] = 1
      else if (magnitude === bits && left > 0) {
        mask[i] = 1
        left--
      }
    }
    return mask
  }
}

export function isZero(bits: number): boolean {
  return (bits & MAGNITUDE) === 0
}

export function isFiniteBits(bits: number): boolean {
  return (bits & MAGNITUDE) < INFINITE
}

/** The bits to compare magnitudes by. */
export function magnitudeOf(bits: number): number {
  return bits & MAGNITUDE
}

/** The bin in which the `wanted`-th of the counted values lies, and its rank within the bin, from 1. */
function placeOf(counts: Float64Array, wanted: number): { index: number; rank: number } {
  let rank = wanted
  for (let index = 0; index < counts.length; index++) {
    if (rank <= counts[index]!) return { index, rank }
    rank -= counts[index]!
  }
  throw new RangeError(`${wanted} is more than was counted`)
}

function sum(values: Float64Array): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}
