// Mean squared error against labels of the same shape as the output.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'

export interface SquaredError {
  /** Σ (output − label)², in float64. */
  readonly sum: number
  readonly elements: number
}

export function mergeSquaredErrors(a: SquaredError, b: SquaredError): SquaredError {
  return { sum: a.sum + b.sum, elements: a.elements + b.elements }
}

/** Sizes of 1 do not matter: labels [samples] fit an output [samples, 1]. */
export function squaredError(
  name: string,
  output: RuntimeTensor,
  labels: RuntimeTensor,
): SquaredError {
  const shape = (dims: readonly number[]) => dims.filter((size) => size !== 1).join(', ')
  if (shape(output.dims) !== shape(labels.dims)) {
    throw errors.outputs_not_targets(
      `output "${name}" has shape [${output.dims.join(', ')}] and its labels [${labels.dims.join(', ')}]: mse needs one label per element; choose the metric top1 or fidelity, or another output with evaluation.output`,
      { details: { output: name, dims: output.dims, labelDims: labels.dims } },
    )
  }
  const values = numbersOf(name, output)
  const targets = numbersOf('labels', labels)
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    sum += (values[index]! - targets[index]!) ** 2
  }
  return { sum, elements: values.length }
}
