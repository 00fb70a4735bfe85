// Every metric: how it is counted over batches, and what it is worth. What it needs, which way is better
// and its words are the row of the same name in packages/recipe/src/metric-table.ts.
import { type MetricName, METRICS } from '@pare/recipe'

import { auroc } from './auroc.js'
import { crossEntropy, perplexity } from './cross-entropy.js'
import { f1 } from './f1.js'
import { likeness } from './likeness.js'
import { meanIoU } from './mean-iou.js'
import type { Figure, Finding, JudgedBatch, Metric } from './metric.js'
import { placeAccuracy } from './place-accuracy.js'
import { targetError } from './target-error.js'
import { topK } from './top-k.js'

const squaredError = targetError('mse', (difference) => difference ** 2, ['rmse', 'mae'])

const rootSquaredError: typeof squaredError = {
  ...squaredError,
  finish: (sums) => rootOf(squaredError.finish(sums)),
  beside: ['mae'],
}

const ROWS = {
  top1: topK('top1', 1, { beside: ['top5'], minClasses: 2 }),
  // With five classes or fewer it would always be right.
  top5: topK('top5', 5, { beside: ['top1'], minClasses: 6 }),
  accuracy: placeAccuracy,
  miou: meanIoU,
  cross_entropy: crossEntropy,
  perplexity,
  f1,
  auroc,
  mse: squaredError,
  rmse: rootSquaredError,
  mae: targetError('mae', Math.abs, ['mse']),
  fidelity: likeness,
} satisfies Readonly<Record<MetricName, unknown>>

/** Of mean squares their roots; the root is monotone, so ends of intervals go with it. */
function rootOf(found: Finding | null): Finding | null {
  if (found === null) return null
  const { original, result, difference, ...test } = found
  const root = ({ value }: Figure): Figure => ({ value: Math.sqrt(value), interval: null })
  const grown = (change: number) => Math.sqrt(Math.max(0, 1 + change / original.value)) - 1
  const isRelative = difference !== null && original.value > 0
  return {
    ...test,
    original: root(original),
    result: root(result),
    difference: null,
    drop_interval: isRelative ? { low: grown(difference.low), high: grown(difference.high) } : null,
  }
}

/** What each metric adds up. */
type SumsOf = { readonly [Name in MetricName]: ReturnType<(typeof ROWS)[Name]['count']> }

const METRIC_ROWS: { readonly [Name in MetricName]: Metric<SumsOf[Name]> } = ROWS

/** The sums of the metrics that were counted. */
export type MetricSums = { readonly [Name in MetricName]?: SumsOf[Name] }

/** Counts the metric asked for, and those beside it that fit. Throws what its `count` throws. */
export function countMetrics(metric: MetricName, batch: JudgedBatch): MetricSums {
  const beside = METRIC_ROWS[metric].beside.filter((name) => METRIC_ROWS[name].fits(batch))
  return [metric, ...beside].reduce<MetricSums>(
    (sums, name) => ({ ...sums, [name]: METRIC_ROWS[name].count(batch) }),
    {},
  )
}

/** The sums of two parts of the data together; a metric that one of them lacks is left out. */
export function mergeMetrics(a: MetricSums, b: MetricSums): MetricSums {
  return METRICS.reduce<MetricSums>((sums, name) => {
    const merged = mergeOne(name, a[name], b[name])
    return merged === undefined ? sums : { ...sums, [name]: merged }
  }, {})
}

function mergeOne<Name extends MetricName>(
  name: Name,
  a: SumsOf[Name] | undefined,
  b: SumsOf[Name] | undefined,
): SumsOf[Name] | undefined {
  return a === undefined || b === undefined ? undefined : METRIC_ROWS[name].merge(a, b)
}

/** Null where the metric was not counted, or there was nothing to judge. */
export function finishMetric(name: MetricName, sums: MetricSums): Finding | null {
  return finishOne(name, sums[name])
}

function finishOne<Name extends MetricName>(
  name: Name,
  sums: SumsOf[Name] | undefined,
): Finding | null {
  return sums === undefined ? null : METRIC_ROWS[name].finish(sums)
}
