// fidelity as a metric: agreement of the classes, or cosine where there are none.
import { type FidelitySums, finishFidelity, mergeFidelity } from './fidelity.js'
import type { Metric } from './metric.js'

export const likeness: Metric<FidelitySums> = {
  count: ({ fidelity }) => fidelity,
  merge: mergeFidelity,
  finish: (sums) => {
    const { agreement, agreement_interval: range, cosine, identical } = finishFidelity(sums)
    const kept = agreement ?? cosine ?? (identical ? 1 : 0)
    return {
      original: { value: 1, interval: null },
      result: { value: kept, interval: range },
      difference: range && { low: range.low - 1, high: range.high - 1 },
      drop: 1 - kept,
      drop_interval: range && { low: 1 - range.high, high: 1 - range.low },
      p_value: null,
      test: null,
    }
  },
  fits: () => true,
  beside: ['top1', 'top5', 'accuracy'],
}
