// Counts on the lattice while they grow. Counts are integers in float64: exact up to 2^53.
import {
  binOfWide,
  BINS,
  coarserBin,
  latticeExponent,
  SIDE,
  WIDE_SHIFT,
  WIDE_SIDE,
  wideOffset,
} from './lattice.js'

export class Histogram {
  private settled: Float64Array = new Float64Array(BINS)
  /** By wide bin; negative values behind the others. */
  private recent: Int32Array | undefined
  private recentTotal = 0
  private top = latticeExponent(0)
  private least = Infinity
  private greatest = -Infinity
  private left = 0

  /** Counts by bin of `lattice.ts`, for `exponent`. */
  get counts(): Float64Array {
    this.settle()
    return this.settled
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
    const words = new Int32Array(values.buffer, values.byteOffset, values.length)
    this.recent ??= new Int32Array(2 * WIDE_SIDE)
    for (let at = 0; at < words.length;) {
      const ends = { min: NOTHING.min, max: NOTHING.max }
      const rest = words.subarray(at, at + MOST_RECENT - this.recentTotal)
      const counted = count(this.recent, rest, wideOffset(this.top), ends)
      this.recentTotal += counted
      at += counted
      if (ends.min <= ends.max) {
        this.least = Math.min(this.least, valueOf(ends.min))
        this.greatest = Math.max(this.greatest, valueOf(ends.max))
      }
      if (counted === rest.length) {
        if (this.recentTotal === MOST_RECENT) this.settle()
      } else if (Number.isFinite(values[at])) this.reach(values.subarray(at))
      else {
        this.left++
        at++
      }
    }
  }

  /** Grows the lattice once for all of the values. */
  private reach(values: Float32Array): void {
    let greatest = 0
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i]!)
      if (magnitude > greatest && magnitude < Infinity) greatest = magnitude
    }
    this.extendTo(greatest)
  }

  /** Moves what was counted lately to the bins. */
  private settle(): void {
    if (this.recent === undefined || this.recentTotal === 0) return
    for (let wide = 0; wide < WIDE_SIDE; wide++) {
      const bin = binOfWide(wide)
      this.settled[bin]! += this.recent[wide]!
      this.settled[SIDE + bin]! += this.recent[WIDE_SIDE + wide]!
    }
    this.recent.fill(0)
    this.recentTotal = 0
  }

  /** Adds what another histogram counted. */
  merge(other: Histogram): void {
    this.settle()
    const counts = other.counts
    this.left += other.nonFinite
    const range = other.range
    if (range === undefined) return
    this.widen(range)
    const octaves = this.top - other.exponent
    for (let bin = 0; bin < BINS; bin++) {
      const n = counts[bin]!
      if (n !== 0) this.settled[coarserBin(bin, octaves)]! += n
    }
  }

  /** Sets what was written before: the lattice follows from the range. */
  restore(
    range: { readonly min: number; readonly max: number } | undefined,
    nonFinite: number,
    counts: Float64Array,
  ): this {
    this.left = nonFinite
    if (range !== undefined) this.widen(range)
    this.settled = counts
    return this
  }

  private widen({ min, max }: { readonly min: number; readonly max: number }): void {
    this.least = Math.min(this.least, min)
    this.greatest = Math.max(this.greatest, max)
    this.extendTo(Math.max(-min, max))
  }

  private extendTo(magnitude: number): void {
    const exponent = latticeExponent(magnitude)
    // Of an empty histogram only the exponent changes.
    const isEmpty = this.recentTotal === 0 && this.settled.every((n) => n === 0)
    if (isEmpty && this.top < exponent) this.top = exponent
    this.coarsenTo(exponent)
  }

  /** Takes the counts onto the lattice of an exponent, if that is coarser. */
  coarsenTo(exponent: number): this {
    const octaves = exponent - this.top
    if (octaves <= 0) return this
    this.settle()
    const coarser = new Float64Array(BINS)
    for (let bin = 0; bin < BINS; bin++) {
      const n = this.settled[bin]!
      if (n !== 0) coarser[coarserBin(bin, octaves)]! += n
    }
    this.settled = coarser
    this.top = exponent
    return this
  }
}

/** Counts of the last values are 32-bit integers, which are faster. */
const MOST_RECENT = 2 ** 31 - 1

/** Ends of no values, as sortable integers. */
const NOTHING: { readonly min: number; readonly max: number } = {
  min: 0x7fffffff,
  max: -0x80000000,
}

/**
 * Counts until the first value beyond the lattice and returns how many there were before it. `words`
 * are the bits of float32 values; `ends` are kept as integers that sort like the values. This loop is
 * most of what calibration costs: it has no branch that depends on the distribution.
 */
function count(
  table: Int32Array,
  words: Int32Array,
  offset: number,
  ends: { min: number; max: number },
): number {
  let { min, max } = ends
  let i = 0
  for (; i < words.length; i++) {
    const word = words[i]!
    const bin = ((word & 0x7fffffff) >>> WIDE_SHIFT) - offset
    if (bin >= WIDE_SIDE) break
    const negative = word >> 31
    const order = word ^ (negative & 0x7fffffff)
    if (order < min) min = order
    if (order > max) max = order
    const at = (bin & ~(bin >> 31)) + (negative & WIDE_SIDE)
    table[at] = (table[at]! + 1) | 0
  }
  ends.min = min
  ends.max = max
  return i
}

const WORD = new Int32Array(1)
const WORD_AS_FLOAT = new Float32Array(WORD.buffer)

/** The value of an integer of `count`. */
function valueOf(order: number): number {
  WORD[0] = order ^ ((order >> 31) & 0x7fffffff)
  return WORD_AS_FLOAT[0]!
}
