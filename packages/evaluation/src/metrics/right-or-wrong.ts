// Where each sample is right or wrong: counted exactly, so counts of parts add up to those of the whole.
import {
  type Interval,
  mcnemarExact,
  pairedDifferenceInterval,
  wilsonInterval,
} from '../statistics.js'
import type { Figure, Finding } from './metric.js'

/** How the two models fared on the same samples: the table that McNemar's test reads. */
export interface PairedCounts {
  readonly bothRight: number
  readonly onlyOriginalRight: number
  readonly onlyResultRight: number
  readonly bothWrong: number
}

/** Counts pairs of right (true) and wrong. */
export function countPairs(
  pairs: number,
  isRight: (index: number) => readonly [original: boolean, result: boolean],
): PairedCounts {
  const counts = { bothRight: 0, onlyOriginalRight: 0, onlyResultRight: 0, bothWrong: 0 }
  for (let index = 0; index < pairs; index++) {
    const [first, second] = isRight(index)
    if (first) counts[second ? 'bothRight' : 'onlyOriginalRight']++
    else counts[second ? 'onlyResultRight' : 'bothWrong']++
  }
  return counts
}

export function mergePairs(a: PairedCounts, b: PairedCounts): PairedCounts {
  return {
    bothRight: a.bothRight + b.bothRight,
    onlyOriginalRight: a.onlyOriginalRight + b.onlyOriginalRight,
    onlyResultRight: a.onlyResultRight + b.onlyResultRight,
    bothWrong: a.bothWrong + b.bothWrong,
  }
}

/** Shares with Wilson's intervals, McNemar's exact test, and Agresti and Min's interval of the drop. */
export function finishPairs(counts: PairedCounts): Finding | null {
  const { onlyOriginalRight: lost, onlyResultRight: gained } = counts
  const { total, ...shares } = sharesOf(counts)
  if (total === 0) return null
  const drop = pairedDifferenceInterval(lost, gained, total)
  return {
    original: withWilson(shares.original),
    result: withWilson(shares.result),
    difference: negated(drop),
    drop: shares.drop,
    drop_interval: drop,
    p_value: mcnemarExact(lost, gained),
    test: 'mcnemar',
    only_original_right: lost,
    only_result_right: gained,
  }
}

/** The drop from the counts: the difference of two rounded shares would not be exact. */
export function sharesOf(counts: PairedCounts) {
  const { bothRight, onlyOriginalRight, onlyResultRight, bothWrong } = counts
  const total = bothRight + onlyOriginalRight + onlyResultRight + bothWrong
  const share = (correct: number) => ({ value: correct / total, correct, total })
  return {
    total,
    original: share(bothRight + onlyOriginalRight),
    result: share(bothRight + onlyResultRight),
    drop: (onlyOriginalRight - onlyResultRight) / total,
  }
}

function withWilson(share: { value: number; correct: number; total: number }): Figure {
  return { ...share, interval: wilsonInterval(share.correct, share.total) }
}

export function negated({ low, high }: Interval): Interval {
  return { low: -high, high: -low }
}
