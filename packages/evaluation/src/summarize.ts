// From counts and sums to the figures of the report.
import type { Judgement } from './judge.js'
import type { PairedCounts } from './metrics/accuracy.js'
import { finishFidelity, mergeFidelity, NO_FIDELITY } from './metrics/fidelity.js'
import type { PairedErrors } from './metrics/squared-error.js'
import type {
  Accuracy,
  AccuracyComparison,
  ErrorComparison,
  EvaluationResult,
  FidelityReport,
  MetricName,
  PrimaryMetric,
} from './result.js'
import { mcnemarExact, pairedDifferenceInterval, pairedMean, wilsonInterval } from './statistics.js'

export function summarizeMetrics(judgement: Judgement): EvaluationResult['metrics'] {
  const { top1, top5, squaredErrors } = judgement
  return {
    ...(top1 ? { top1: compareAccuracy(top1) } : {}),
    ...(top5 ? { top5: compareAccuracy(top5) } : {}),
    ...(squaredErrors ? { mse: compareErrors(squaredErrors) } : {}),
  }
}

function compareAccuracy(counts: PairedCounts): AccuracyComparison {
  const { bothRight, onlyOriginalRight, onlyResultRight, bothWrong } = counts
  const total = bothRight + onlyOriginalRight + onlyResultRight + bothWrong
  return {
    original: accuracy(bothRight + onlyOriginalRight, total),
    result: accuracy(bothRight + onlyResultRight, total),
    only_original_right: onlyOriginalRight,
    only_result_right: onlyResultRight,
    p_value: mcnemarExact(onlyOriginalRight, onlyResultRight),
  }
}

function compareErrors({ original, result, differences }: PairedErrors): ErrorComparison {
  const { interval, p_value } = pairedMean(differences)
  return {
    original: original.sum / original.elements,
    result: result.sum / result.elements,
    interval,
    p_value,
  }
}

function accuracy(correct: number, total: number): Accuracy {
  return { value: correct / total, correct, total, interval: wilsonInterval(correct, total) }
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

/** The metric that constraints are checked against. */
export function choosePrimary(
  name: MetricName,
  output: string,
  { metrics, fidelity }: Pick<EvaluationResult, 'metrics' | 'fidelity'>,
): PrimaryMetric {
  if (name === 'top1' || name === 'top5') {
    return { name, output, ...accuracyDrop(required(metrics[name], name)) }
  }
  if (name === 'mse') return { name, output, ...errorGrowth(required(metrics.mse, name)) }
  const judged = fidelity.outputs[output] ?? fidelity
  const kept = judged.agreement ?? judged.cosine ?? (judged.identical ? 1 : 0)
  const range = judged.agreement_interval
  const drop_interval = range && { low: 1 - range.high, high: 1 - range.low }
  return { name, output, original: 1, result: kept, drop: 1 - kept, drop_interval }
}

function accuracyDrop(comparison: AccuracyComparison) {
  const { original, result, only_original_right, only_result_right } = comparison
  return {
    original: original.value,
    result: result.value,
    // From the counts: the difference of two rounded shares would not be exact.
    drop: (only_original_right - only_result_right) / original.total,
    drop_interval: pairedDifferenceInterval(only_original_right, only_result_right, original.total),
  }
}

function errorGrowth({ original, result, interval }: ErrorComparison) {
  const grewFromZero = original === 0 && result > 0
  const drop = original === 0 ? 0 : result / original - 1
  const isRelative = interval !== null && original > 0
  return {
    original,
    result,
    drop: grewFromZero ? null : drop,
    drop_interval: isRelative
      ? { low: interval.low / original, high: interval.high / original }
      : null,
  }
}

function required<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new Error(`the metric ${name} was not computed`)
  return value
}
