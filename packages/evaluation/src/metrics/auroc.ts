// The area under the ROC curve, exactly: the share of pairs of a positive and a negative sample in which
// the positive has the greater score, ties counting half. By ranks, which needs all scores together.
//
// Error and paired test after DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), placements by
// mid-ranks (Sun and Xu, IEEE Signal Processing Letters 21, 2014): with m positives and n negatives,
//   V₁₀(i) = (rank of i among all − rank of i among positives) / n
//   V₀₁(j) = 1 − (rank of j among all − rank of j among negatives) / m
//   AUC = mean V₁₀ = mean V₀₁       var = var(V₁₀) / m + var(V₀₁) / n
// and the same of the differences of two models' placements for the variance of their difference.
import { type Estimate, estimate, studentTest } from '../statistics.js'
import type { Finding, Metric } from './metric.js'
import { join, type Pieces, piecesOf } from './pieces.js'
import { havePositives, readPositives } from './positives.js'

export interface RocScores {
  /** Label, score of the original, score of the result: of one sample after the other. */
  readonly samples: Pieces
}

const ROW = 3

export const auroc: Metric<RocScores> = {
  count: (batch) => {
    const { labels, original, result } = readPositives(batch, 'auroc')
    const rows = new Float64Array(ROW * batch.samples)
    for (let sample = 0; sample < batch.samples; sample++) {
      const label = labels[sample]!
      rows.set(
        [label, rankable(original[sample]!, label), rankable(result[sample]!, label)],
        ROW * sample,
      )
    }
    return { samples: rows }
  },
  merge: (a, b) => ({ samples: join(a.samples, b.samples) }),
  finish: finishRoc,
  fits: havePositives,
  beside: ['f1'],
}

/** NaN is wrong, whatever the label. */
function rankable(score: number, label: number): number {
  if (!Number.isNaN(score)) return score
  return label === 1 ? -Infinity : Infinity
}

function finishRoc({ samples }: RocScores): Finding | null {
  const positives = { original: [] as number[], result: [] as number[] }
  const negatives = { original: [] as number[], result: [] as number[] }
  for (const rows of piecesOf(samples)) {
    for (let at = 0; at < rows.length; at += ROW) {
      const side = rows[at] === 1 ? positives : negatives
      side.original.push(rows[at + 1]!)
      side.result.push(rows[at + 2]!)
    }
  }
  const [m, n] = [positives.original.length, negatives.original.length]
  if (m === 0 || n === 0) return null
  const original = placements(positives.original, negatives.original)
  const result = placements(positives.result, negatives.result)
  const difference = areaOf({
    positives: result.positives.map((v, i) => v - original.positives[i]!),
    negatives: result.negatives.map((v, j) => v - original.negatives[j]!),
  })
  return {
    original: figure(areaOf(original)),
    result: figure(areaOf(result)),
    difference: difference.interval,
    p_value: studentTest(difference, LARGE_SAMPLE),
    test: 'delong',
    details: { positives: m, negatives: n },
  }
}

function figure({ value, interval }: Estimate) {
  return {
    value,
    interval: interval && { low: Math.max(0, interval.low), high: Math.min(1, interval.high) },
  }
}

interface Placements {
  readonly positives: readonly number[]
  readonly negatives: readonly number[]
}

function placements(positives: readonly number[], negatives: readonly number[]): Placements {
  const [m, n] = [positives.length, negatives.length]
  const all = midRanks([...positives, ...negatives])
  const among = { positives: midRanks(positives), negatives: midRanks(negatives) }
  return {
    positives: positives.map((_, i) => (all[i]! - among.positives[i]!) / n),
    negatives: negatives.map((_, j) => 1 - (all[m + j]! - among.negatives[j]!) / m),
  }
}

/** DeLong's test is of large samples: the normal law, which Student's becomes. */
const LARGE_SAMPLE = 1e9

function areaOf({ positives, negatives }: Placements): Estimate {
  const [ofPositives, ofNegatives] = [meanAndVariance(positives), meanAndVariance(negatives)]
  const variance = ofPositives.variance / positives.length + ofNegatives.variance / negatives.length
  return estimate(ofPositives.mean, Math.sqrt(variance), LARGE_SAMPLE)
}

/** The variance of one value is not known: NaN, which has no interval. */
function meanAndVariance(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, variance: squares / (values.length - 1) }
}

/** Ranks from 1 in ascending order; equal values share the mean of theirs. */
function midRanks(values: readonly number[]): Float64Array {
  const order = Float64Array.from(values, (_, index) => index)
  order.sort((a, b) => compare(values[a]!, values[b]!))
  const ranks = new Float64Array(values.length)
  for (let start = 0; start < order.length;) {
    let end = start
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++
    const rank = (start + 1 + end) / 2
    for (let at = start; at < end; at++) ranks[order[at]!] = rank
    start = end
  }
  return ranks
}

/** A difference of infinities would be NaN. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
