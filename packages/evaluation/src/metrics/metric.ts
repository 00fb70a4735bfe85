// What a metric is to those who compute it: sums over a batch that merge, and figures made of them.
import type { MetricName } from '@pare/recipe'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from '../errors.js'
import type { Interval } from '../statistics.js'
import type { FidelitySums } from './fidelity.js'

/** One output of both models on one batch. */
export interface JudgedBatch {
  readonly output: string
  readonly original: RuntimeTensor
  readonly result: RuntimeTensor
  /** Null where the data has none. */
  readonly labels: RuntimeTensor | null
  readonly samples: number
  readonly fidelity: FidelitySums
}

/**
 * A metric: counts each batch alone, so that batches and shards add up in any order (as exactly as
 * float64 sums do).
 */
export interface Metric<Sums> {
  /** @throws `evaluation_labels_missing`, `outputs_not_scores`, `outputs_not_targets` */
  readonly count: (batch: JudgedBatch) => Sums
  readonly merge: (a: Sums, b: Sums) => Sums
  /** Null where there is nothing to judge, such as classes of which one is absent. */
  readonly finish: (sums: Sums) => Finding | null
  /** Whether it can be computed of such a batch, when nobody has asked for it. */
  readonly fits: (batch: JudgedBatch) => boolean
  /** Metrics that are given beside this one where they fit. */
  readonly beside: readonly MetricName[]
}

export interface Figure {
  readonly value: number
  /** 95 % interval of this model alone; null where there is none. */
  readonly interval: Interval | null
  /** Where a metric counts: how many were right, of how many. */
  readonly correct?: number
  readonly total?: number
}

/** What a metric found. */
export interface Finding {
  readonly original: Figure
  readonly result: Figure
  /** 95 % interval of result − original, from the same samples; null where there is none. */
  readonly difference: Interval | null
  /** Where it is known more exactly than from the two values, or is another figure than theirs. */
  readonly drop?: number | null
  readonly drop_interval?: Interval | null
  /** How likely so large a difference is between equally good models. */
  readonly p_value: number | null
  /** The paired test that says so. */
  readonly test: PairedTest | null
  /** Samples or places that exactly one of the models has right. */
  readonly only_original_right?: number
  readonly only_result_right?: number
  /** What else there is to know of it: ignored labels, a threshold, … */
  readonly details?: Readonly<Record<string, number>>
  /** What a reader should be told of it. */
  readonly note?: string
}

/** `paired_t`: over samples, whose places belong together. `delta`: as that, of a ratio of sums. */
export type PairedTest = 'mcnemar' | 'paired_t' | 'delta' | 'delong'

export function labelsOf({ output, labels }: JudgedBatch, metric: MetricName): RuntimeTensor {
  if (labels !== null) return labels
  throw errors.evaluation_labels_missing(
    `${metric} of output "${output}" compares with labels and the data set has none: add an array "label", or choose the metric fidelity`,
    { details: { metric, output } },
  )
}
