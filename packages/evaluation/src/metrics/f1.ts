// F1 = 2 TP / (2 TP + FP + FN), of class 1. A sample is one of eight cases, by label and what each model
// says, and counts of cases add up. F1 is a ratio of sums over samples, so its error is that of a ratio
// (see paired-ratio.ts), here exactly from the counts.
//
// Where one score is given per sample, whether it is a probability or a logit is known only when all
// have been seen: both are counted, and it is a probability if all of the original's are in 0 to 1.
import { estimate, studentTest } from '../statistics.js'
import type { Finding, Metric } from './metric.js'
import { havePositives, readPositives } from './positives.js'

export interface F1Counts {
  /** Scores above 0 are class 1: logits, and differences of two scores. */
  readonly ofLogits: CaseCounts
  /** Scores above ½ are. */
  readonly ofProbabilities: CaseCounts
  readonly couldBeProbabilities: boolean
}

/** By 4 · label + 2 · original + result, each 0 or 1. */
type CaseCounts = readonly number[]

export const f1: Metric<F1Counts> = {
  count: (batch) => {
    const positives = readPositives(batch, 'f1')
    const { labels, original, result, isDifference } = positives
    const casesAbove = (threshold: number): CaseCounts => {
      const counts = new Array<number>(8).fill(0)
      for (let sample = 0; sample < batch.samples; sample++) {
        const label = labels[sample]!
        // NaN is wrong, whatever the label.
        const says = (score: number) =>
          Number.isNaN(score) ? 1 - label : Number(score > threshold)
        counts[4 * label + 2 * says(original[sample]!) + says(result[sample]!)]!++
      }
      return counts
    }
    return {
      ofLogits: casesAbove(0),
      ofProbabilities: casesAbove(0.5),
      couldBeProbabilities:
        !isDifference && Array.from(original).every((score) => score >= 0 && score <= 1),
    }
  },
  merge: (a, b) => ({
    ofLogits: a.ofLogits.map((count, index) => count + b.ofLogits[index]!),
    ofProbabilities: a.ofProbabilities.map((count, index) => count + b.ofProbabilities[index]!),
    couldBeProbabilities: a.couldBeProbabilities && b.couldBeProbabilities,
  }),
  finish: ({ ofLogits, ofProbabilities, couldBeProbabilities }) =>
    couldBeProbabilities ? finishF1(ofProbabilities, 0.5) : finishF1(ofLogits, 0),
  fits: havePositives,
  beside: ['auroc'],
}

/** What a case adds to 2 TP and to 2 TP + FP + FN. */
function sharesOf(index: number, model: 'original' | 'result') {
  const label = index >> 2
  const says = model === 'original' ? (index >> 1) & 1 : index & 1
  return { above: 2 * label * says, below: label + says }
}

function finishF1(counts: CaseCounts, threshold: number): Finding | null {
  const samples = counts.reduce((sum, count) => sum + count, 0)
  const positives = counts.slice(4).reduce((sum, count) => sum + count, 0)
  if (positives === 0) return null
  const [original, result] = [ratioOf(counts, 'original'), ratioOf(counts, 'result')]
  const freedom = samples - 1
  const estimateOf = (value: number, influence: (index: number) => number) => {
    const squares = counts.reduce((sum, count, index) => sum + count * influence(index) ** 2, 0)
    return estimate(value, Math.sqrt((samples / freedom) * squares), freedom)
  }
  const difference = estimateOf(
    result.value - original.value,
    (index) => result.influence(index) - original.influence(index),
  )
  const figure = ({ value, influence }: Ratio) => {
    const { interval } = estimateOf(value, influence)
    return {
      value,
      interval: interval && { low: Math.max(0, interval.low), high: Math.min(1, interval.high) },
    }
  }
  return {
    original: figure(original),
    result: figure(result),
    difference: difference.interval,
    p_value: studentTest(difference, freedom),
    test: 'delta',
    details: { threshold, positives, negatives: samples - positives },
  }
}

interface Ratio {
  readonly value: number
  /** How much one sample of a case moves it. */
  readonly influence: (index: number) => number
}

function ratioOf(counts: CaseCounts, model: 'original' | 'result'): Ratio {
  let [above, below] = [0, 0]
  counts.forEach((count, index) => {
    const shares = sharesOf(index, model)
    above += count * shares.above
    below += count * shares.below
  })
  const value = above / below
  const influence = (index: number) => {
    const shares = sharesOf(index, model)
    return (shares.above - value * shares.below) / below
  }
  return { value, influence }
}
