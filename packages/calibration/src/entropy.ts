// The range that loses least information (Kullback-Leibler), as TensorRT and MXNet choose it: the
// distribution clipped to a window (P, with what is outside added to the window's end bins) is
// compared with what as many integers as there are make of the window (Q: the values of one integer
// spread evenly over its bins that P does not leave empty).
//
// Different from them: bins are finer towards 0 and have a width of their own, so a bin's share is a
// density times its width; everything is a float; the groups of bins are those of the integers, with
// no remainder for the last; and windows of different size are compared on the same bins, of which
// each has 2048 or more per side. Zeros are left out: every range represents them exactly, and in
// post-Relu data they would outweigh all else.
import { cellOf, CELLS, cellStart, type Distribution } from './distribution.js'
import { SIDE } from './lattice.js'
import type { ResolvedRangeOptions } from './methods.js'
import type { Ends } from './statistics.js'

/** Thresholds are tried at every 2^(1/32), then at every 2^(1/256) around the best. */
const COARSE = 32
const FINE = 256
const OCTAVES = 10

/** Counts of an empty integer in Q, where P is not empty, as in MXNet. */
const EPSILON = 1e-4

export function entropyRange(distribution: Distribution, options: ResolvedRangeOptions): Ends {
  const { min, max } = distribution
  const farthest = Math.max(-min, max)
  const levels = 2 ** options.bits - 1
  const sums = informationSums(distribution)
  // 16 bits are finer than the bins, and every value may be 0.
  if (levels > 255 || sums.total === 0) return { min, max }
  let best = { octaves: 0, divergence: Infinity }
  const attempt = (octaves: number) => {
    const window = windowAt(distribution, farthest * 2 ** -octaves)
    const width = options.symmetric
      ? 2 * Math.max(-window.min, window.max)
      : window.max - window.min
    const groups = Math.round((levels * (window.max - window.min)) / width)
    if (leastDivergence(sums, window, groups) > best.divergence) return
    const divergence = klDivergence(sums, window, groups)
    if (divergence < best.divergence) best = { octaves, divergence }
  }
  for (let i = 0; i <= OCTAVES * COARSE; i++) attempt(i / COARSE)
  const around = best.octaves
  for (let i = 1 - FINE / COARSE; i < FINE / COARSE; i++) {
    if (i !== 0 && around + i / FINE >= 0) attempt(around + i / FINE)
  }
  return affordable(distribution, sums, best.octaves)
}

/**
 * Divergence counts how many values are clipped, not how far they lie outside. Where most values
 * crowd around 0 and few are large (behind a swish, before a softmax), the window with the least
 * divergence cuts off just those that decide: networks of that kind end at chance. So this share of
 * the values may be clipped, no more; outliers are rarer than that.
 */
const MOST_CLIPPED = 1e-4

/** The narrowest window, no narrower than asked for, that clips no more than that. */
function affordable(distribution: Distribution, sums: InformationSums, octaves: number): Ends {
  const { min, max, total } = distribution
  for (let narrower = octaves; narrower > 0; narrower -= 1 / COARSE) {
    const window = windowAt(distribution, Math.max(-min, max) * 2 ** -narrower)
    // But for zeros, which are inside every window.
    const inside = sums.count[cellOf(window.max) + 1]! - sums.count[cellOf(window.min)]!
    if (sums.total - inside > MOST_CLIPPED * total) continue
    return { min: Math.max(window.min, min), max: Math.min(window.max, max) }
  }
  return { min, max }
}

/** Symmetric, but no side is longer than its values reach. Always holds 0. */
function windowAt({ min, max }: Distribution, threshold: number): Ends {
  return { min: Math.min(0, Math.max(min, -threshold)), max: Math.max(0, Math.min(max, threshold)) }
}

/** Without zeros; each array has one entry per cell and one more: the sum over the cells below. */
interface InformationSums {
  readonly count: Float64Array
  /** Width of the cells that are not empty. */
  readonly width: Float64Array
  /** n · log(n / width). */
  readonly information: Float64Array
  readonly total: number
}

function informationSums({ counts }: Distribution): InformationSums {
  const [count, width, information] = [0, 0, 0].map(() => new Float64Array(CELLS + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  for (let cell = 0; cell < CELLS; cell++) {
    const n = cell === SIDE || cell === SIDE - 1 ? 0 : counts[cell]!
    count[cell + 1] = count[cell]! + n
    width[cell + 1] = width[cell]! + (n === 0 ? 0 : widthOf(cell))
    information[cell + 1] = information[cell]! + informationOf(n, cell)
  }
  return { count, width, information, total: count[CELLS]! }
}

function widthOf(cell: number): number {
  return cellStart(cell + 1) - cellStart(cell)
}

function informationOf(n: number, cell: number): number {
  return n === 0 ? 0 : n * Math.log(n / widthOf(cell))
}

/**
 * What `klDivergence` cannot be below: the divergence when all that is known is whether a value is in
 * the first group, the last, or between (dividing values into fewer classes never adds divergence).
 * What a narrow window clips shows there, so most windows need no closer look.
 */
function leastDivergence(sums: InformationSums, window: Ends, groups: number): number {
  const { count, total } = sums
  const step = (window.max - window.min) / groups
  const [first, last] = [cellOf(window.min), cellOf(window.max)]
  const [second, final] = [cellOf(window.min + step), cellOf(window.max - step)]
  const inside = count[last + 1]! - count[first]!
  if (second >= final || inside === 0) return 0
  const classes = [
    { p: count[second]!, q: count[second]! - count[first]! },
    { p: count[final]! - count[second]!, q: count[final]! - count[second]! },
    { p: total - count[final]!, q: count[last + 1]! - count[final]! },
  ]
  const divergence = classes.reduce((sum, { p, q }) => {
    return p === 0 ? sum : sum + (p / total) * Math.log(p / total / (Math.max(q, EPSILON) / inside))
  }, 0)
  // Empty integers make Q greater than what is inside, by this at most.
  return divergence - (groups * EPSILON) / inside
}

/** KL(P‖Q) of the window quantized to `groups` levels, in nats. */
function klDivergence(sums: InformationSums, window: Ends, groups: number): number {
  const first = cellOf(window.min)
  const last = cellOf(window.max)
  const outside = [
    { cell: first, n: sums.count[first]! },
    { cell: last, n: sums.total - sums.count[last + 1]! },
  ] as const
  const step = (window.max - window.min) / groups
  let divergence = 0
  let quantized = 0
  let start = first
  for (let group = 1; group <= groups; group++) {
    const end = group === groups ? last + 1 : cellOf(window.min + group * step)
    if (end <= start) continue
    const q = groupOf(sums, start, end)
    if (group === 1 || start === first) addOutside(q, sums, outside[0])
    if (end === last + 1) addOutside(q, sums, outside[1])
    start = end
    if (q.p === 0) continue
    const mass = Math.max(q.mass, EPSILON)
    quantized += mass
    divergence += q.information - q.p * Math.log(mass / q.width)
  }
  return divergence / sums.total + Math.log(quantized / sums.total)
}

interface Group {
  /** Values in Q and in P. */
  readonly mass: number
  p: number
  width: number
  information: number
}

function groupOf(
  { count, width, information }: InformationSums,
  start: number,
  end: number,
): Group {
  const mass = count[end]! - count[start]!
  return {
    mass,
    p: mass,
    width: width[end]! - width[start]!,
    information: information[end]! - information[start]!,
  }
}

/** Values outside the window are in the end bin of P, but not in Q. */
function addOutside(
  group: Group,
  { count }: InformationSums,
  { cell, n }: { readonly cell: number; readonly n: number },
): void {
  if (n === 0) return
  const inside = count[cell + 1]! - count[cell]!
  if (inside === 0) group.width += widthOf(cell)
  group.p += n
  group.information += informationOf(inside + n, cell) - informationOf(inside, cell)
}
