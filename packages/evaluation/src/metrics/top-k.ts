// top1 and top5: is the class of a sample among its k greatest scores?
import type { MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import { type JudgedBatch, labelsOf, type Metric } from './metric.js'
import { isFloat } from './places.js'
import { countPairs, finishPairs, mergePairs, type PairedCounts } from './right-or-wrong.js'
import { rankOf, readScores, type Scores } from './scores.js'

/** `beside`: what is given with it. `minClasses`: with fewer it would always be right. */
export function topK(
  name: MetricName,
  k: number,
  options: { readonly beside: readonly MetricName[]; readonly minClasses: number },
): Metric<PairedCounts> {
  return {
    count: (batch) => {
      const { original, result } = readRanks(batch, name)
      return countPairs(original.length, (row) => [original[row]! < k, result[row]! < k])
    },
    merge: mergePairs,
    finish: finishPairs,
    fits: (batch) => haveClasses(batch, options.minClasses),
    beside: options.beside,
  }
}

interface Ranks {
  readonly original: readonly number[]
  readonly result: readonly number[]
}

/** top1 and top5 of one batch read the same ranks. */
const known = new WeakMap<JudgedBatch, Ranks>()

/** Throws `outputs_not_scores` when output and labels do not fit. */
function readRanks(batch: JudgedBatch, metric: MetricName): Ranks {
  const before = known.get(batch)
  if (before !== undefined) return before
  const original = readScores(batch.output, batch.original)
  const result = readScores(batch.output, batch.result)
  const classes = readClassLabels(batch.output, labelsOf(batch, metric), original)
  const ranksOf = (scores: Scores) => classes.map((label, row) => rankOf(scores, row, label))
  const ranks = { original: ranksOf(original), result: ranksOf(result) }
  known.set(batch, ranks)
  return ranks
}

function readClassLabels(name: string, labels: RuntimeTensor, scores: Scores): readonly number[] {
  const values = Array.from(numbersOf('labels', labels))
  if (values.length !== scores.rows) {
    throw errors.outputs_not_scores(
      `output "${name}" has ${scores.rows} rows for ${values.length} labels of shape [${labels.dims.join(', ')}]: top1 and top5 need one label per sample; choose the metric accuracy, mse or fidelity`,
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

/** Whether shapes and dtypes suggest scores of the classes of samples, `least` of them or more. */
function haveClasses({ original, labels }: JudgedBatch, least: number): boolean {
  if (labels === null) return false
  const [rows, classes = 0, ...rest] = original.dims
  const perSample = labels.dims[0] === rows && labels.data.length === rows
  const isInteger = /^u?int/.test(labels.dataType)
  if (!perSample || !isInteger || classes < least || rest.some((size) => size !== 1)) return false
  if (!isFloat(original)) return false
  const values = Array.from(numbersOf('labels', labels))
  return values.every((label) => label >= 0 && label < classes)
}
