// Mean squared error against labels of the same shape as the output.
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'

export interface SquaredError {
  /** Σ (output − label)², in float64. */
  readonly sum: number
  readonly elements: number
}

/** The errors of two models on the same samples. */
export interface PairedErrors {
  readonly original: SquaredError
  readonly result: SquaredError
  /** Of the samples' mean squared errors, result − original: how many, their sum, their squares'. */
  readonly differences: { readonly samples: number; readonly sum: number; readonly squares: number }
}

export function mergePairedErrors(a: PairedErrors, b: PairedErrors): PairedErrors {
  return {
    original: add(a.original, b.original),
    result: add(a.result, b.result),
    differences: {
      samples: a.differences.samples + b.differences.samples,
      sum: a.differences.sum + b.differences.sum,
      squares: a.differences.squares + b.differences.squares,
    },
  }
}

function add(a: SquaredError, b: SquaredError): SquaredError {
  return { sum: a.sum + b.sum, elements: a.elements + b.elements }
}

/** Errors of one batch of `samples` samples. Throws `outputs_not_targets`. */
export function pairErrors(
  name: string,
  outputs: { readonly original: RuntimeTensor; readonly result: RuntimeTensor },
  { labels, samples }: { readonly labels: RuntimeTensor; readonly samples: number },
): PairedErrors {
  const original = squaredErrors(name, outputs.original, labels)
  const result = squaredErrors(name, outputs.result, labels)
  const each = original.length / samples
  const differences = { samples, sum: 0, squares: 0 }
  for (let sample = 0; sample < samples; sample++) {
    let difference = 0
    for (let at = sample * each; at < (sample + 1) * each; at++) {
      difference += result[at]! - original[at]!
    }
    difference /= each
    differences.sum += difference
    differences.squares += difference * difference
  }
  return { original: sumOf(original), result: sumOf(result), differences }
}

function sumOf(errors: Float64Array): SquaredError {
  return { sum: errors.reduce((sum, error) => sum + error, 0), elements: errors.length }
}

/** Sizes of 1 do not matter: labels [samples] fit an output [samples, 1]. */
function squaredErrors(name: string, output: RuntimeTensor, labels: RuntimeTensor): Float64Array {
  const shape = (dims: readonly number[]) => dims.filter((size) => size !== 1).join(', ')
  if (shape(output.dims) !== shape(labels.dims)) {
    throw errors.outputs_not_targets(
      `output "${name}" has shape [${output.dims.join(', ')}] and its labels [${labels.dims.join(', ')}]: mse needs one label per element; choose the metric top1 or fidelity, or another output with evaluation.output`,
      { details: { output: name, dims: output.dims, labelDims: labels.dims } },
    )
  }
  const values = numbersOf(name, output)
  const targets = numbersOf('labels', labels)
  return Float64Array.from(values, (value, index) => (value - targets[index]!) ** 2)
}
