// Outputs as scores of class 1, for labels of 0 and 1.
import type { MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import { type JudgedBatch, labelsOf } from './metric.js'
import { isFloat } from './places.js'

export interface Positives {
  /** 0 or 1 per sample. */
  readonly labels: ArrayLike<number>
  readonly original: ArrayLike<number>
  readonly result: ArrayLike<number>
  /** Whether a score is that of class 1 less that of class 0, so that 0 is undecided. */
  readonly isDifference: boolean
}

/** Metrics of one batch share what they read of it. */
const known = new WeakMap<JudgedBatch, Positives>()

/** Reads scores [samples], [samples, 1] or [samples, 2]. Throws `outputs_not_scores`. */
export function readPositives(batch: JudgedBatch, metric: MetricName): Positives {
  const before = known.get(batch)
  if (before !== undefined) return before
  const labels = labelsOf(batch, metric)
  const { output, samples } = batch
  const columns = columnsOf(batch.original, samples)
  if (columns === null) {
    throw errors.outputs_not_scores(
      `output "${output}" is ${batch.original.dataType} [${batch.original.dims.join(', ')}]: ${metric} needs one score per sample, or one for each of two classes; choose the metric top1 or fidelity, or another output with evaluation.output`,
      { details: { output, dataType: batch.original.dataType, dims: batch.original.dims } },
    )
  }
  const read = (tensor: RuntimeTensor) => scoresOf(numbersOf(output, tensor), columns)
  const positives: Positives = {
    labels: readBinary(batch, labels, metric),
    original: read(batch.original),
    result: read(batch.result),
    isDifference: columns === 2,
  }
  known.set(batch, positives)
  return positives
}

export function havePositives({ original, labels, samples }: JudgedBatch): boolean {
  if (labels === null || labels.data.length !== samples) return false
  if (!/^u?int/.test(labels.dataType) || columnsOf(original, samples) === null) return false
  return Array.from(numbersOf('labels', labels)).every(isBinary)
}

/** 1 or 2 scores per sample; null for anything else. */
function columnsOf(tensor: RuntimeTensor, samples: number): 1 | 2 | null {
  const [rows = 1, columns = 1, ...rest] = tensor.dims
  const perSample = rows === samples && rest.every((size) => size === 1)
  if (!isFloat(tensor) || !perSample) return null
  return columns === 1 || columns === 2 ? columns : null
}

function scoresOf(values: ArrayLike<number>, columns: 1 | 2): ArrayLike<number> {
  if (columns === 1) return values
  const differences = new Float64Array(values.length / 2)
  return differences.map((_, row) => values[2 * row + 1]! - values[2 * row]!)
}

function readBinary(
  { output, samples }: JudgedBatch,
  labels: RuntimeTensor,
  metric: MetricName,
): ArrayLike<number> {
  const values = numbersOf('labels', labels)
  const wrong = Array.from(values).find((label) => !isBinary(label))
  if (values.length === samples && wrong === undefined) return values
  const what = wrong === undefined ? `shape [${labels.dims.join(', ')}]` : `a label ${wrong}`
  throw errors.outputs_not_scores(
    `${metric} needs one label per sample, 0 or 1, and there is ${what}: choose the metric top1, accuracy or fidelity`,
    { details: { output, labelDims: labels.dims } },
  )
}

function isBinary(label: number): boolean {
  return label === 0 || label === 1
}
