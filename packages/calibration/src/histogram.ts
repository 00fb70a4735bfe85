// Counts on the lattice while they grow. Counts are integers in float64: exact up to 2^53.
import { binOfOctave, BINS, BINS_PER_OCTAVE, coarserBin, latticeExponent, SIDE } from './lattice.js'
import { MOST_COUNTED, OctaveCounts } from './octave-counts.js'
import type { Ends, MinMaxState } from './statistics.js'

export class Histogram {
  /** Absent while there is nothing on the lattice. */
  private settled: Float64Array | undefined
  private recent: OctaveCounts | undefined
  private top = latticeExponent(0)
  private least = Infinity
  private greatest = -Infinity
  private left = 0

  /** Counts by bin of `lattice.ts`, for `exponent`. */
  get counts(): Float64Array {
    this.settle()
    return (this.settled ??= new Float64Array(BINS))
  }

  get exponent(): number {
    this.settle()
    return this.top
  }

  /** Least and greatest finite value so far. */
  get range(): Ends | undefined {
    this.settle()
    // −0 becomes 0, so that the JSON text of a state equals the state.
    return this.least <= this.greatest ? { min: this.least + 0, max: this.greatest + 0 } : undefined
  }

  /** Infinite values and NaN so far, which are not in the counts. */
  get nonFinite(): number {
    this.settle()
    return this.left
  }

  add(values: Float32Array): void {
    for (let at = 0; at < values.length;) {
      this.recent ??= new OctaveCounts()
      const rest = values.subarray(at, at + MOST_COUNTED - this.recent.total)
      this.recent.add(rest)
      at += rest.length
      if (this.recent.total === MOST_COUNTED) this.settle()
    }
  }

  /** Learns of values that are not counted: their range, and how many are not finite. */
  note({ range, nonFinite }: MinMaxState): void {
    this.left += nonFinite
    if (range !== undefined) this.widen(range)
  }

  /** Moves what was counted lately onto the lattice, which its values may have made coarser. */
  private settle(): void {
    const { recent } = this
    if (recent === undefined) return
    this.recent = undefined
    this.left += recent.nonFinite
    if (recent.ends === undefined) return
    this.widen(recent.ends)
    const settled = (this.settled ??= new Float64Array(BINS))
    for (const { negative, exponent, counts } of recent.pages) {
      const side = negative ? SIDE : 0
      for (let within = 0; within < BINS_PER_OCTAVE; within++) {
        const n = counts[within]!
        if (n !== 0) settled[side + binOfOctave(exponent - this.top, within)]! += n
      }
    }
  }

  /** Adds what another histogram counted. */
  merge(other: Histogram): void {
    this.settle()
    this.left += other.nonFinite
    const { range, counts } = other
    if (range === undefined) return
    this.widen(range)
    const settled = (this.settled ??= new Float64Array(BINS))
    const octaves = this.top - other.exponent
    for (let bin = 0; bin < BINS; bin++) {
      const n = counts[bin]!
      if (n !== 0) settled[coarserBin(bin, octaves)]! += n
    }
  }

  /** Sets what was written before: the lattice follows from the range. */
  restore(range: Ends | undefined, nonFinite: number, counts: Float64Array): this {
    this.left = nonFinite
    if (range !== undefined) this.widen(range)
    this.settled = counts
    return this
  }

  private widen({ min, max }: Ends): void {
    this.least = Math.min(this.least, min)
    this.greatest = Math.max(this.greatest, max)
    this.coarsen(latticeExponent(Math.max(-min, max)))
  }

  /** Takes the counts onto the lattice of an exponent, if that is coarser. */
  coarsenTo(exponent: number): this {
    this.settle()
    this.coarsen(exponent)
    return this
  }

  private coarsen(exponent: number): void {
    const octaves = exponent - this.top
    if (octaves <= 0) return
    this.top = exponent
    if (this.settled === undefined) return
    const coarser = new Float64Array(BINS)
    for (let bin = 0; bin < BINS; bin++) {
      const n = this.settled[bin]!
      if (n !== 0) coarser[coarserBin(bin, octaves)]! += n
    }
    this.settled = coarser
  }
}
