// Errors against labels of the same shape as the output: mean of squares, mean of magnitudes.
import type { MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import { numbersOf } from '../numbers.js'
import { type JudgedBatch, labelsOf, type Metric } from './metric.js'
import {
  finishRatio,
  mergeRatios,
  type PairedRatio,
  type SamplePair,
  sumSamples,
} from './paired-ratio.js'
import { isFloat } from './places.js'

/** The mean over elements of `errorOf(output − label)`; the test is that of samples. */
export function targetError(
  name: MetricName,
  errorOf: (difference: number) => number,
  beside: readonly MetricName[],
): Metric<PairedRatio> {
  return {
    count: (batch) => sumSamples(samplesOf(batch, name, errorOf)),
    merge: mergeRatios,
    finish: finishRatio,
    fits: ({ original, labels }) =>
      labels !== null && isFloat(original) && shapeOf(original) === shapeOf(labels),
    beside,
  }
}

/** Throws `outputs_not_targets`. */
function* samplesOf(
  batch: JudgedBatch,
  metric: MetricName,
  errorOf: (difference: number) => number,
): Generator<SamplePair> {
  const labels = labelsOf(batch, metric)
  const targets = numbersOf('labels', labels)
  const before = readOutput(batch, batch.original, { labels, metric })
  const after = readOutput(batch, batch.result, { labels, metric })
  const elements = targets.length / batch.samples
  for (let sample = 0; sample < batch.samples; sample++) {
    let [original, result] = [0, 0]
    for (let at = sample * elements; at < (sample + 1) * elements; at++) {
      original += errorOf(before[at]! - targets[at]!)
      result += errorOf(after[at]! - targets[at]!)
    }
    yield { original, result, elements }
  }
}

function readOutput(
  { output }: JudgedBatch,
  tensor: RuntimeTensor,
  { labels, metric }: { readonly labels: RuntimeTensor; readonly metric: MetricName },
): ArrayLike<number> {
  if (shapeOf(tensor) === shapeOf(labels)) return numbersOf(output, tensor)
  throw errors.outputs_not_targets(
    `output "${output}" has shape [${tensor.dims.join(', ')}] and its labels [${labels.dims.join(', ')}]: ${metric} needs one label per element; choose the metric top1, accuracy or fidelity, or another output with evaluation.output`,
    { details: { output, dims: tensor.dims, labelDims: labels.dims } },
  )
}

/** Sizes of 1 do not matter: labels [samples] fit an output [samples, 1]. */
function shapeOf({ dims }: RuntimeTensor): string {
  return dims.filter((size) => size !== 1).join()
}
