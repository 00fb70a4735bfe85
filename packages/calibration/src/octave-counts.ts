// Counts of float32 values by their leading bits: sign, octave, and as many bits of the significand as
// the lattice has bins per octave. No decision of the lattice is needed while counting, and an octave
// takes memory only when the first value falls into it.
import { BIN_BITS, BINS_PER_OCTAVE } from './lattice.js'
import type { Ends } from './statistics.js'

/** Sign and exponent of a float32, as an unsigned integer: the index of an octave. */
const OCTAVES = 512
/** Exponent of infinite values and NaN. */
const NON_FINITE = 255
const BIAS = 127
const OCTAVE_SHIFT = 23
const BIN_SHIFT = OCTAVE_SHIFT - BIN_BITS
const WITHIN = BINS_PER_OCTAVE - 1

const FIRST_PAGES = 8

/** Counts are 32-bit integers, which are faster; so many values fit for sure. */
export const MOST_COUNTED = 2 ** 31 - 1

/** The counts of one octave of magnitudes [2^exponent, 2^(exponent + 1)); 2^-127 stands for less. */
export interface OctavePage {
  readonly negative: boolean
  readonly exponent: number
  /** By the leading bits of the significand, outwards. */
  readonly counts: Int32Array
}

export class OctaveCounts {
  /** Where the page of an octave begins in the table; −1: it has none. */
  private readonly pageOf = new Int32Array(OCTAVES).fill(-1)
  private table = new Int32Array(FIRST_PAGES * BINS_PER_OCTAVE)
  private used = 0
  private least = Infinity
  private greatest = -Infinity
  private counted = 0

  /** Values so far, not more than `MOST_COUNTED`. */
  get total(): number {
    return this.counted
  }

  /** Least and greatest finite value so far. */
  get ends(): Ends | undefined {
    return this.least <= this.greatest ? { min: this.least, max: this.greatest } : undefined
  }

  /** Infinite values and NaN so far; they are on no page. */
  get nonFinite(): number {
    return this.allPages()
      .filter(({ exponent }) => exponent === NON_FINITE - BIAS)
      .reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b, 0), 0)
  }

  get pages(): readonly OctavePage[] {
    return this.allPages().filter(({ exponent }) => exponent !== NON_FINITE - BIAS)
  }

  add(values: Float32Array): void {
    const words = new Int32Array(values.buffer, values.byteOffset, values.length)
    const order = { least: 0x7fffffff, greatest: -0x80000000 }
    for (let at = 0; at < words.length;) {
      at = count({ table: this.table, pageOf: this.pageOf }, { words, at }, order)
      if (at < words.length) this.openPage(words[at]! >>> OCTAVE_SHIFT)
    }
    this.counted += words.length
    const isFinite = order.least >= LEAST_FINITE && order.greatest <= GREATEST_FINITE
    this.widen(isFinite ? order : orderOfFinite(words))
  }

  private openPage(octave: number): void {
    const start = this.used++ * BINS_PER_OCTAVE
    if (start === this.table.length) {
      const larger = new Int32Array(2 * this.table.length)
      larger.set(this.table)
      this.table = larger
    }
    this.pageOf[octave] = start
  }

  private widen({ least, greatest }: Order): void {
    if (least > greatest) return
    this.least = Math.min(this.least, valueOf(least))
    this.greatest = Math.max(this.greatest, valueOf(greatest))
  }

  private allPages(): readonly OctavePage[] {
    return [...this.pageOf.entries()]
      .filter(([, start]) => start >= 0)
      .map(([octave, start]) => ({
        negative: octave > NON_FINITE,
        exponent: (octave & NON_FINITE) - BIAS,
        counts: this.table.subarray(start, start + BINS_PER_OCTAVE),
      }))
  }
}

/** Least and greatest word, as integers that sort like the values. */
interface Order {
  least: number
  greatest: number
}

interface Pages {
  readonly table: Int32Array
  readonly pageOf: Int32Array
}

/**
 * Counts from `at` until the first value whose octave has no page, and returns where that is. `words`
 * are the bits of float32 values. This loop is most of what counting costs: no branch depends on the
 * distribution, and four values at a time are a third faster than one. `order` may have seen some of
 * the values that are left.
 */
function count(
  { table, pageOf }: Pages,
  { words, at }: { readonly words: Int32Array; readonly at: number },
  order: Order,
): number {
  let { least, greatest } = order
  let i = at
  for (; i + 3 < words.length; i += 4) {
    const a = words[i]!
    const b = words[i + 1]!
    const c = words[i + 2]!
    const d = words[i + 3]!
    const pageA = pageOf[a >>> OCTAVE_SHIFT]!
    const pageB = pageOf[b >>> OCTAVE_SHIFT]!
    const pageC = pageOf[c >>> OCTAVE_SHIFT]!
    const pageD = pageOf[d >>> OCTAVE_SHIFT]!
    if ((pageA | pageB | pageC | pageD) < 0) break
    const orderA = a ^ ((a >> 31) >>> 1)
    const orderB = b ^ ((b >> 31) >>> 1)
    const orderC = c ^ ((c >> 31) >>> 1)
    const orderD = d ^ ((d >> 31) >>> 1)
    if (orderA < least) least = orderA
    if (orderB < least) least = orderB
    if (orderC < least) least = orderC
    if (orderD < least) least = orderD
    if (orderA > greatest) greatest = orderA
    if (orderB > greatest) greatest = orderB
    if (orderC > greatest) greatest = orderC
    if (orderD > greatest) greatest = orderD
    let bin = pageA + ((a >>> BIN_SHIFT) & WITHIN)
    table[bin] = (table[bin]! + 1) | 0
    bin = pageB + ((b >>> BIN_SHIFT) & WITHIN)
    table[bin] = (table[bin]! + 1) | 0
    bin = pageC + ((c >>> BIN_SHIFT) & WITHIN)
    table[bin] = (table[bin]! + 1) | 0
    bin = pageD + ((d >>> BIN_SHIFT) & WITHIN)
    table[bin] = (table[bin]! + 1) | 0
  }
  // The last few, or those before an octave without a page.
  const end = Math.min(words.length, i + 4)
  for (; i < end; i++) {
    const word = words[i]!
    const page = pageOf[word >>> OCTAVE_SHIFT]!
    if (page < 0) break
    const sorted = word ^ ((word >> 31) >>> 1)
    if (sorted < least) least = sorted
    if (sorted > greatest) greatest = sorted
    const bin = page + ((word >>> BIN_SHIFT) & WITHIN)
    table[bin] = (table[bin]! + 1) | 0
  }
  order.least = least
  order.greatest = greatest
  return i
}

function orderOfFinite(words: Int32Array): Order {
  const order = { least: 0x7fffffff, greatest: -0x80000000 }
  for (const word of words) {
    if (((word >>> OCTAVE_SHIFT) & NON_FINITE) === NON_FINITE) continue
    const sorted = word ^ ((word >> 31) >>> 1)
    order.least = Math.min(order.least, sorted)
    order.greatest = Math.max(order.greatest, sorted)
  }
  return order
}

/** Of the greatest finite float32, and of the least. */
const GREATEST_FINITE = 0x7f7fffff
const LEAST_FINITE = 0x80800000 | 0

const WORD = new Int32Array(1)
const WORD_AS_FLOAT = new Float32Array(WORD.buffer)

/** The value of an integer that sorts like it. */
function valueOf(order: number): number {
  WORD[0] = order ^ ((order >> 31) >>> 1)
  return WORD_AS_FLOAT[0]!
}
