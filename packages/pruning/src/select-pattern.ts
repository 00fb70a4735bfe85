// N:M sparsity: of each M consecutive weights along the summed axis the N greatest stay.
import type { KeptOf } from './options.js'
import { isFiniteBits, magnitudeOf } from './select-smallest.js'

export interface SummedAxis {
  readonly dims: readonly number[]
  readonly axis: number
  /** Weights along the axis that are summed together: the axis' size over `group` of a ConvTranspose. */
  readonly run: number
}

/**
 * A mask of what falls. A rest shorter than M keeps N too, as if zeros followed it. Among equals the
 * first fall; infinities and NaN never do.
 */
export function fallingByPattern(
  bits: Uint32Array,
  { dims, axis, run }: SummedAxis,
  { kept, of }: KeptOf,
): Uint8Array {
  const mask = new Uint8Array(bits.length)
  const size = dims[axis] ?? 1
  const inner = product(dims.slice(axis + 1))
  const group = new Uint32Array(of)
  for (let outer = 0; outer < bits.length; outer += size * inner) {
    for (let start = 0; start < size; start += run) {
      for (let from = start; from < start + run; from += of) {
        const length = Math.min(of, start + run - from)
        for (let i = 0; i < inner; i++) {
          for (let k = 0; k < length; k++) group[k] = outer + (from + k) * inner + i
          markSmallest(group.subarray(0, length), { bits, mask, count: length - kept })
        }
      }
    }
  }
  return mask
}

/** Marks the `count` smallest at the given places. */
function markSmallest(
  places: Uint32Array,
  {
    bits,
    mask,
    count,
  }: { readonly bits: Uint32Array; readonly mask: Uint8Array; readonly count: number },
): void {
  for (let n = 0; n < count; n++) {
    let least = -1
    for (let k = 0; k < places.length; k++) {
      const place = places[k]!
      if (mask[place] === 1 || !isFiniteBits(bits[place]!)) continue
      if (least < 0 || magnitudeOf(bits[place]!) < magnitudeOf(bits[least]!)) least = place
    }
    if (least < 0) return
    mask[least] = 1
  }
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1)
}
