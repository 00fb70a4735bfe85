// From counts and sums to the figures of the report.
import { dropOf, metricFacts, type MetricName, METRICS } from '@pare/recipe'

import { errors } from './errors.js'
import type { Judgement, OutputToJudge } from './judge.js'
import { finishFidelity, mergeFidelity, NO_FIDELITY } from './metrics/fidelity.js'
import type { Finding } from './metrics/metric.js'
import { finishMetric, type MetricSums } from './metrics/metric-table.js'
import { negated } from './metrics/right-or-wrong.js'
import type { EvaluationResult, FidelityReport, JudgedOutput, MetricComparison } from './result.js'
import type { Interval } from './statistics.js'

/** Everything found of one output that was judged. Throws `metric_undefined`. */
export function summarizeOutput(
  { output, metric, labels }: OutputToJudge,
  sums: MetricSums,
): JudgedOutput {
  const found = compare(metric, finishMetric(metric, sums))
  if (found === null) {
    throw errors.metric_undefined(
      `${metric} of output "${output}" cannot be computed: the data has no labels to judge by, or samples of one class alone`,
      { details: { metric, output } },
    )
  }
  const { drop, drop_interval } = found
  const figures = { original: found.original.value, result: found.result.value }
  return {
    primary: { name: metric, output, ...figures, drop, drop_interval },
    metrics: summarizeMetrics(sums),
    ...(labels === undefined ? {} : { labels }),
  }
}

function summarizeMetrics(sums: MetricSums): EvaluationResult['metrics'] {
  const found = METRICS.flatMap((name) => {
    if (metricFacts(name).labels === 'none') return []
    const comparison = compare(name, finishMetric(name, sums))
    return comparison === null ? [] : [[name, comparison] as const]
  })
  return Object.fromEntries(found)
}

function compare(name: MetricName, found: Finding | null): MetricComparison | null {
  if (found === null) return null
  const { original, result, difference } = found
  const { drop, drop_interval } = found
  return {
    ...found,
    drop: drop === undefined ? dropOf(name, original.value, result.value) : drop,
    drop_interval:
      drop_interval === undefined ? dropInterval(name, original.value, difference) : drop_interval,
  }
}

/** The interval of the difference as that of the drop; of growth relative to the original as it is. */
function dropInterval(
  name: MetricName,
  original: number,
  difference: Interval | null,
): Interval | null {
  if (difference === null) return null
  const { better, drop } = metricFacts(name)
  const lost = better === 'higher' ? negated(difference) : difference
  if (drop === 'difference') return lost
  return original > 0 ? { low: lost.low / original, high: lost.high / original } : null
}

/** Per output, and over the elements of all outputs together. */
export function summarizeFidelity(judgement: Judgement): FidelityReport {
  const all = [...judgement.fidelity.values()].reduce(mergeFidelity, NO_FIDELITY)
  const outputs = [...judgement.fidelity].map(([name, sums]) => [name, finishFidelity(sums)])
  return {
    ...finishFidelity(all),
    outputs: Object.fromEntries(outputs) as FidelityReport['outputs'],
  }
}
