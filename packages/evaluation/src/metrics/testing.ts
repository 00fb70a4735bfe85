// Batches for the tests of metrics.
import type { MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { NO_FIDELITY } from './fidelity.js'
import type { JudgedBatch } from './metric.js'
import { countMetrics, finishMetric, mergeMetrics } from './metric-table.js'

export function floats(dims: readonly number[], values: readonly number[]): RuntimeTensor {
  return { dataType: 'float32', dims, data: Float32Array.from(values) }
}

export function int64(dims: readonly number[], values: readonly number[]): RuntimeTensor {
  return { dataType: 'int64', dims, data: BigInt64Array.from(values, BigInt) }
}

export interface TestBatch {
  readonly original: RuntimeTensor
  readonly result?: RuntimeTensor
  readonly labels: RuntimeTensor | null
  /** Default: the first size of the labels. */
  readonly samples?: number
}

export function batchOf({ original, result = original, labels, samples }: TestBatch): JudgedBatch {
  return {
    output: 'y',
    original,
    result,
    labels,
    samples: samples ?? labels?.dims[0] ?? 1,
    fidelity: NO_FIDELITY,
  }
}

/** What a metric finds of batches, counted apart and merged. */
export function judgeBatches(metric: MetricName, batches: readonly TestBatch[]) {
  const parts = batches.map((batch) => countMetrics(metric, batchOf(batch)))
  return finishMetric(metric, parts.reduce(mergeMetrics))
}
