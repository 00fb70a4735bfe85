// Counts on the lattice while they grow. Counts are integers in float64: exact up to 2^53.
import { BINS, coarserBin, latticeBits, latticeExponent, SIDE } from './lattice.js'

export class Histogram {
  private bins: Float64Array = new Float64Array(BINS)
  private top = latticeExponent(0)
  private least = Infinity
  private greatest = -Infinity
  private left = 0

  /** Counts by bin of `lattice.ts`, for `exponent`. */
  get counts(): Float64Array {
    return this.bins
  }

  get exponent(): number {
    return this.top
  }

  /** Least and greatest finite value so far. */
  get range(): { readonly min: number; readonly max: number } | undefined {
    // −0 becomes 0, so that the JSON text of a state equals the state.
    return this.least <= this.greatest ? { min: this.least + 0, max: this.greatest + 0 } : undefined
  }

  /** Infinite values and NaN so far, which are not in the counts. */
  get nonFinite(): number {
    return this.left
  }

  add(values: Float32Array): void {
    let min = this.least
    let max = this.greatest
    let start = 0
    while (start < values.length) {
      const end = Math.min(values.length, start + BLOCK)
      // The range first: the lattice has to reach before counting starts.
      let sum = 0
      for (let i = start; i < end; i++) {
        const x = values[i]!
        if (x < min) min = x
        if (x > max) max = x
        sum += x - x
      }
      // x − x is NaN for every value that is not finite, and else 0.
      if (sum === 0) {
        this.extend(min, max)
        count(this.bins, values.subarray(start, end), this.top)
      } else {
        this.addFinite(values.subarray(start, end))
        min = this.least
        max = this.greatest
      }
      start = end
    }
  }

  /** Adds what another histogram counted. */
  merge(other: Histogram): void {
    this.left += other.nonFinite
    const range = other.range
    if (range === undefined) return
    this.extend(Math.min(this.least, range.min), Math.max(this.greatest, range.max))
    const steps = this.top - other.exponent
    for (let bin = 0; bin < BINS; bin++) {
      const n = other.counts[bin]!
      if (n === 0) continue
      let target = bin
      for (let step = 0; step < steps; step++) target = coarserBin(target)
      this.bins[target]! += n
    }
  }

  /** Sets what was written before: the lattice follows from the range. */
  restore(
    range: { readonly min: number; readonly max: number } | undefined,
    nonFinite: number,
    counts: Float64Array,
  ): this {
    this.left = nonFinite
    if (range !== undefined) this.extend(range.min, range.max)
    this.bins = counts
    return this
  }

  private addFinite(values: Float32Array): void {
    const finite = values.filter((value) => Number.isFinite(value))
    this.left += values.length - finite.length
    if (finite.length > 0) this.add(finite)
  }

  private extend(min: number, max: number): void {
    this.least = min
    this.greatest = max
    const exponent = latticeExponent(Math.max(Math.abs(min), Math.abs(max)))
    // Of an empty histogram only the exponent changes.
    if (this.top < exponent && this.bins.every((n) => n === 0)) this.top = exponent
    this.coarsenTo(exponent)
  }

  /** Takes the counts onto the lattice of an exponent, if that is coarser. */
  coarsenTo(exponent: number): this {
    while (this.top < exponent) this.coarsen()
    return this
  }

  private coarsen(): void {
    const coarser = new Float64Array(BINS)
    for (let bin = 0; bin < BINS; bin++) coarser[coarserBin(bin)]! += this.bins[bin]!
    this.bins = coarser
    this.top++
  }
}

/** Values looked at twice in a row: few enough to stay in the processor's cache. */
const BLOCK = 1 << 14

/** Every value is finite and within the lattice. This loop is most of what calibration costs. */
function count(counts: Float64Array, values: Float32Array, exponent: number): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const { floor, shift, offset, floorScale } = latticeBits(exponent)
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!
    const magnitude = word & 0x7fffffff
    const side = (word >> 31) & SIDE
    if (magnitude >= floor) counts[side + (magnitude >>> shift) - offset]! += 1
    else if (magnitude === 0) counts[0]! += 1
    else counts[side + ((Math.abs(values[i]!) * floorScale) | 0)]! += 1
  }
}
