// top1 and top5 of two models on the same samples, counted exactly. Counts of parts add up to the
// counts of the whole, so shards can be merged.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import { rankOf, readScores, type Scores } from './scores.js'

/** How the two models fared on the same samples: the table that McNemar's test reads. */
export interface PairedCounts {
  readonly bothRight: number
  readonly onlyOriginalRight: number
  readonly onlyResultRight: number
  readonly bothWrong: number
}

export function mergePairs(a: PairedCounts, b: PairedCounts): PairedCounts {
  return {
    bothRight: a.bothRight + b.bothRight,
    onlyOriginalRight: a.onlyOriginalRight + b.onlyOriginalRight,
    onlyResultRight: a.onlyResultRight + b.onlyResultRight,
    bothWrong: a.bothWrong + b.bothWrong,
  }
}

export interface AccuracyCounts {
  readonly top1: PairedCounts
  readonly top5: PairedCounts
  readonly classes: number
}

/** Counts one batch. Throws `outputs_not_scores` when output and labels do not fit. */
export function countAccuracy(
  name: string,
  outputs: { readonly original: RuntimeTensor; readonly result: RuntimeTensor },
  labels: RuntimeTensor,
): AccuracyCounts {
  const original = readScores(name, outputs.original)
  const result = readScores(name, outputs.result)
  const classes = readClassLabels(name, labels, original)
  const ranks = (scores: Scores) => classes.map((label, row) => rankOf(scores, row, label))
  const [originalRanks, resultRanks] = [ranks(original), ranks(result)]
  return {
    top1: countPairs(originalRanks, resultRanks, 1),
    top5: countPairs(originalRanks, resultRanks, 5),
    classes: original.classes,
  }
}

function countPairs(original: readonly number[], result: readonly number[], k: number) {
  const counts = { bothRight: 0, onlyOriginalRight: 0, onlyResultRight: 0, bothWrong: 0 }
  original.forEach((rank, row) => {
    const [first, second] = [rank < k, result[row]! < k]
    if (first) counts[second ? 'bothRight' : 'onlyOriginalRight']++
    else counts[second ? 'onlyResultRight' : 'bothWrong']++
  })
  return counts
}

function readClassLabels(name: string, labels: RuntimeTensor, scores: Scores): readonly number[] {
  const values = Array.from(numbersOf('labels', labels))
  if (values.length !== scores.rows) {
    throw errors.outputs_not_scores(
      `output "${name}" has ${scores.rows} rows for ${values.length} labels of shape [${labels.dims.join(', ')}]: top1 and top5 need one label per sample; choose the metric mse or fidelity`,
      { details: { output: name, rows: scores.rows, labelDims: labels.dims } },
    )
  }
  const wrong = values.find(
    (label) => !Number.isInteger(label) || label < 0 || label >= scores.classes,
  )
  if (wrong !== undefined) {
    throw errors.outputs_not_scores(
      `the label ${wrong} is no class of output "${name}", which has ${scores.classes} scores, 0 to ${scores.classes - 1}: choose the metric mse or fidelity, or another output with evaluation.output`,
      { details: { output: name, classes: scores.classes, label: wrong } },
    )
  }
  return values
}
