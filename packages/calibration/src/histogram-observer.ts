// How the values of a tensor are distributed: what percentile, entropy and mse choose ranges from.
import { decodeCounts, encodeCounts } from './count-codec.js'
import { Histogram } from './histogram.js'
import type { CountingObserver } from './observer.js'
import type { HistogramState } from './statistics.js'

export const histogramObserver: CountingObserver<'histogram'> = {
  kind: 'histogram',
  looksAt: 'values',
  ordered: false,
  empty: { nonFinite: 0, counts: '' },
  collect: () => {
    const histogram = new Histogram()
    return {
      add: (values, known) => {
        histogram.add(values)
        if (known !== undefined) histogram.note(known)
      },
      state: () => writeHistogram(histogram),
    }
  },
  merge: (a, b) => {
    const sum = readHistogram(a)
    sum.merge(readHistogram(b))
    return writeHistogram(sum)
  },
}

export function readHistogram({ range, nonFinite, counts }: HistogramState): Histogram {
  return new Histogram().restore(range, nonFinite, decodeCounts(counts))
}

export function writeHistogram(histogram: Histogram): HistogramState {
  const { range, nonFinite } = histogram
  const counts = encodeCounts(histogram.counts)
  return range === undefined ? { nonFinite, counts } : { range, nonFinite, counts }
}
