// One-dimensional k-means: few values that stand for many, with a small squared error. Sorted, clusters
// are runs of neighbours, and prefix sums give the mean of any run, so that a round costs k binary
// searches, whatever the number of values.

/** More rounds than this move boundaries by single values among very many. */
const MAX_ROUNDS = 1000

/**
 * Each value replaced by the mean of its cluster: at most `clusters` different ones (at least 2). Where
 * there are zeros, 0 is a cluster of its own, so they stay and nothing joins them. The centroids start at
 * the middles of equal parts of the range (what Han et al., Deep Compression, 2016 call linear, which
 * keeps the few large weights apart), and Lloyd's rounds move them until none moves; one that no value is
 * left for then halves the cluster that errs most. The squared error is never larger than that of those
 * equal parts. Undefined where there are no more values than that.
 *
 * All values are finite. O(n log n); holds 16 bytes per value.
 */
export function clusterValues(values: Float32Array, clusters: number): Float32Array | undefined {
  const sorted = sortedWithoutZeros(values)
  const wanted = sorted.length < values.length ? clusters - 1 : clusters
  if (!hasMoreThan(sorted, wanted)) return undefined
  return assign(values, settle(sorted, wanted))
}

function sortedWithoutZeros(values: Float32Array): Float32Array {
  const sorted = values.slice().sort()
  const zerosFrom = countWhile(sorted.length, (i) => sorted[i]! < 0)
  const zerosTo = countWhile(sorted.length, (i) => sorted[i]! <= 0)
  sorted.copyWithin(zerosFrom, zerosTo)
  return sorted.subarray(0, sorted.length - (zerosTo - zerosFrom))
}

function hasMoreThan(sorted: Float32Array, wanted: number): boolean {
  let distinct = Math.min(sorted.length, 1)
  for (let i = 1; i < sorted.length && distinct <= wanted; i++) {
    if (sorted[i] !== sorted[i - 1]) distinct++
  }
  return distinct > wanted
}

/** The centroids, in their order. */
function settle(sorted: Float32Array, count: number): Float64Array {
  const sums = prefixSums(sorted)
  let centroids = middles(sorted[0]!, sorted.at(-1)!, count)
  let before: readonly Run[] = []
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const runs = runsOf(sorted, centroids)
    const isSettled = runs.every(({ end }, at) => end === before[at]?.end)
    if (isSettled && runs.every(({ start, end }) => end > start)) break
    before = runs
    centroids = isSettled
      ? splitWidest(sorted, sums, runs)
      : centroids.map((old, at) => meanOf(sorted, sums, runs[at]!) ?? old)
  }
  return centroids
}

/** Values of one centroid, as places in the sorted ones: `end` is the first behind them. */
interface Run {
  readonly start: number
  readonly end: number
}

/** Undefined of none. Sums round, and the mean of a run lies inside it. */
function meanOf(sorted: Float32Array, sums: Float64Array, { start, end }: Run): number | undefined {
  if (end === start) return undefined
  const mean = (sums[end]! - sums[start]!) / (end - start)
  return Math.min(Math.max(mean, sorted[start]!), sorted[end - 1]!)
}

/** Lets a centroid that stands for nothing take half of the run that errs most, by count and width. */
function splitWidest(sorted: Float32Array, sums: Float64Array, runs: readonly Run[]): Float64Array {
  const errs = ({ start, end }: Run) =>
    end === start ? 0 : (end - start) * (sorted[end - 1]! - sorted[start]!) ** 2
  const widest = runs.reduce((worst, run) => (errs(run) > errs(worst) ? run : worst))
  const mean = meanOf(sorted, sums, widest)!
  const { start, end } = widest
  const middle = start + countWhile(end - start, (i) => sorted[start + i]! <= mean)
  const empty = runs.findIndex((run) => run.end === run.start)
  const parts = runs.flatMap((run, at) => {
    if (run === widest)
      return [
        { start, end: middle },
        { start: middle, end },
      ]
    return at === empty ? [] : [run]
  })
  // Others that stand for nothing share a neighbour until it is their turn.
  const means = parts.map(
    (part) => meanOf(sorted, sums, part) ?? sorted[Math.max(part.end - 1, 0)]!,
  )
  return Float64Array.from(means).sort()
}

function middles(low: number, high: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 0.5)) / count)
}

function prefixSums(sorted: Float32Array): Float64Array {
  const sums = new Float64Array(sorted.length + 1)
  for (let i = 0; i < sorted.length; i++) sums[i + 1] = sums[i]! + sorted[i]!
  return sums
}

function runsOf(sorted: Float32Array, centroids: Float64Array): readonly Run[] {
  const ends = Array.from(boundsOf(centroids), (bound) =>
    countWhile(sorted.length, (i) => sorted[i]! <= bound),
  )
  return [...ends, sorted.length].map((end, at) => ({ start: ends[at - 1] ?? 0, end }))
}

/** Halfway between neighbours; a value on a bound belongs to the lower one. */
function boundsOf(centroids: Float64Array): Float64Array {
  return centroids.subarray(1).map((upper, at) => (centroids[at]! + upper) / 2)
}

function assign(values: Float32Array, centroids: Float64Array): Float32Array {
  const bounds = boundsOf(centroids)
  const assigned = new Float32Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value === 0) continue
    assigned[i] = centroids[countWhile(bounds.length, (at) => bounds[at]! < value)]!
  }
  return assigned
}

/** Of things in order, of which the first ones hold and the others do not: how many hold. */
function countWhile(count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}
