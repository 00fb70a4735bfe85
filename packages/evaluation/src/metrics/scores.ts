// Outputs as scores: one row per sample, one column per class.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'

export interface Scores {
  readonly rows: number
  readonly classes: number
  /** rows × classes, row-major. */
  readonly values: ArrayLike<number>
}

/**
 * Reads an output as scores: dims [samples, classes], further dims of size 1 allowed, at least two
 * classes, floats. Throws `outputs_not_scores` with the remedy.
 */
export function readScores(name: string, tensor: RuntimeTensor): Scores {
  const [rows = 0, classes = 0, ...rest] = tensor.dims
  const isFloat = tensor.dataType.startsWith('float') || tensor.dataType === 'bfloat16'
  if (!isFloat || classes < 2 || rest.some((size) => size !== 1)) {
    throw errors.outputs_not_scores(
      `output "${name}" is ${tensor.dataType} [${tensor.dims.join(', ')}], not float [samples, classes] with two classes or more: choose the metric mse or fidelity, or another output with evaluation.output`,
      { details: { output: name, dataType: tensor.dataType, dims: tensor.dims } },
    )
  }
  return { rows, classes, values: numbersOf(name, tensor) }
}

/**
 * How many scores of a row stand before that of `label`: the greater ones, and equal ones of lower
 * index, so that exactly one class has each rank. A row with NaN ranks nothing: Infinity.
 */
export function rankOf(scores: Scores, row: number, label: number): number {
  const start = row * scores.classes
  const own = scores.values[start + label]!
  let rank = 0
  for (let index = 0; index < scores.classes; index++) {
    const other = scores.values[start + index]!
    if (Number.isNaN(other)) return Infinity
    if (other > own || (other === own && index < label)) rank++
  }
  return rank
}

/** Index of the greatest of `count` values, the first of equals; -1 when one of them is NaN. */
export function argmax(values: ArrayLike<number>, start: number, count: number): number {
  let best = 0
  for (let index = 0; index < count; index++) {
    const value = values[start + index]!
    if (Number.isNaN(value)) return -1
    if (value > values[start + best]!) best = index
  }
  return best
}
