// The ends of each batch, kept in order. A sum with decaying weights would be smaller, but floating
// point sums depend on where they are cut: the list merges bit for bit, and jobs with different
// constants share it.
import type { RuntimeTensor } from '@pare/tensor'

import { minMaxObserver } from './min-max-observer.js'
import type { ReducingObserver } from './observer.js'
import type { Ends, MinMaxState, MovingAverageState } from './statistics.js'

/**
 * Batches that a state remembers. With the least constant (0.005) the batches before have a weight
 * of 0.995^4096 = 1e-9 in the average.
 */
export const MOVING_AVERAGE_WINDOW = 4096

const EMPTY: MovingAverageState = { nonFinite: 0, batches: [] }

export const movingAverageObserver: ReducingObserver<'moving_average'> = {
  kind: 'moving_average',
  looksAt: 'reductions',
  ordered: true,
  empty: EMPTY,
  reduce: minMaxObserver.reduce,
  observe: (state, outputs) => append(state, minMaxObserver.observe({ nonFinite: 0 }, outputs)),
  needsValues: minMaxObserver.needsValues,
  observeValues: (state, values: RuntimeTensor) =>
    append(state, minMaxObserver.observeValues({ nonFinite: 0 }, values)),
  merge,
}

/** A batch without any finite value has no ends and no part in the average. */
function append(state: MovingAverageState, batch: MinMaxState): MovingAverageState {
  const { range } = batch
  const batches = range === undefined ? [] : [[range.min, range.max] as const]
  return merge(state, { ...batch, batches })
}

function merge(a: MovingAverageState, b: MovingAverageState): MovingAverageState {
  return {
    ...minMaxObserver.merge(a, b),
    batches: [...a.batches, ...b.batches].slice(-MOVING_AVERAGE_WINDOW),
  }
}

/**
 * The exponential moving average of both ends: it begins with the first batch, and each later one
 * pulls it by `constant` (0 to 1) of the difference. `undefined` when there was no finite value.
 */
export function movingAverage({ batches }: MovingAverageState, constant: number): Ends | undefined {
  const [first, ...later] = batches
  if (first === undefined) return undefined
  let [min, max] = first
  for (const [least, greatest] of later) {
    min += constant * (least - min)
    max += constant * (greatest - max)
  }
  return { min, max }
}
