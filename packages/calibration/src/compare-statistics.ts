// How far two statistics of the same tensors are apart: calibration against validation data, or half
// of the data against all of it.
import { readHistogram } from './histogram-observer.js'
import { SIDE } from './lattice.js'
import type {
  CalibrationStatistics,
  Ends,
  HistogramState,
  StatisticsKind,
  TensorStatistics,
} from './statistics.js'

export interface TensorDrift {
  readonly tensor: string
  readonly a: Ends
  readonly b: Ends
  /** The greater change of an end, as a part of the wider range: 0 for equal ranges, at most 1. */
  readonly rangeDrift: number
  /**
   * Greatest difference of the shares of values below any point (Kolmogorov-Smirnov): 0 to 1. Of
   * histograms only.
   */
  readonly distributionDrift?: number
}

/**
 * Compares the tensors that both have seen, the furthest apart first. Ties keep the order of `a`.
 */
export function compareStatistics<Kind extends StatisticsKind>(
  a: CalibrationStatistics<Kind>,
  b: CalibrationStatistics<Kind>,
): readonly TensorDrift[] {
  return Object.entries(a.tensors)
    .flatMap(([tensor, x]) => {
      const y = b.tensors[tensor]
      return y === undefined ? [] : compareTensor(tensor, x, y)
    })
    .sort((x, y) => driftOf(y) - driftOf(x))
}

/** The greater of both drifts. */
export function driftOf({ rangeDrift, distributionDrift = 0 }: TensorDrift): number {
  return Math.max(rangeDrift, distributionDrift)
}

function compareTensor(
  tensor: string,
  { state: x }: TensorStatistics,
  { state: y }: TensorStatistics,
): readonly TensorDrift[] {
  if (x.range === undefined || y.range === undefined) return []
  const drift = { tensor, a: x.range, b: y.range, rangeDrift: rangeDrift(x.range, y.range) }
  if (!('counts' in x) || !('counts' in y)) return [drift]
  if (x.counts === '' || y.counts === '') return [drift]
  return [{ ...drift, distributionDrift: distributionDrift(x, y) }]
}

function rangeDrift(a: Ends, b: Ends): number {
  const change = Math.max(Math.abs(a.min - b.min), Math.abs(a.max - b.max))
  return change === 0 ? 0 : change / (Math.max(a.max, b.max) - Math.min(a.min, b.min))
}

function distributionDrift(x: HistogramState, y: HistogramState): number {
  const [a, b] = onOneLattice(x, y)
  const [totalA, totalB] = [sum(a), sum(b)]
  let [belowA, belowB, greatest] = [0, 0, 0]
  const step = (bin: number) => {
    belowA += a[bin]!
    belowB += b[bin]!
    greatest = Math.max(greatest, Math.abs(belowA / totalA - belowB / totalB))
  }
  for (let bin = 2 * SIDE - 1; bin >= SIDE; bin--) step(bin)
  for (let bin = 0; bin < SIDE; bin++) step(bin)
  return greatest
}

function onOneLattice(x: HistogramState, y: HistogramState): readonly [Float64Array, Float64Array] {
  const [a, b] = [readHistogram(x), readHistogram(y)]
  const exponent = Math.max(a.exponent, b.exponent)
  return [a.coarsenTo(exponent).counts, b.coarsenTo(exponent).counts]
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, n) => total + n, 0)
}
