// Turns measurements into the lines that people read. Wording only: no figure is made here.
import type { EvaluationResult, Metrics, ModelMeasurements } from '@pare/evaluation'
import { METRICS } from '@pare/recipe'

import {
  bytes,
  chance,
  count,
  metricChange,
  metricValue,
  metricWords,
  milliseconds,
  percent,
} from './format.js'
import type { ConstraintCheck, Summary, SummaryRow, SummaryWarning } from './report.js'

export function summarize(
  evaluation: EvaluationResult,
  constraints: readonly ConstraintCheck[],
): Summary {
  const warnings = findWarnings(evaluation)
  const headline = headlineOf(evaluation)
  return {
    headline,
    verdict: `${headline}${ending(constraints, warnings)}`,
    rows: [...qualityRows(evaluation), ...costRows(evaluation)],
    warnings,
  }
}

function qualityRows({ metrics, fidelity, also_judged }: EvaluationResult): SummaryRow[] {
  const others = also_judged.flatMap(({ primary, metrics: found }) =>
    metricRows(found, ` of ${primary.output}`),
  )
  const agreement = fidelity.agreement === null ? '' : `agreement ${percent(fidelity.agreement)}`
  const sqnr = describeNoise(fidelity)
  const same = {
    label: 'same output',
    original: '',
    result: agreement || sqnr,
    change: agreement && sqnr,
  }
  return [...metricRows(metrics, ''), ...others, same]
}

function metricRows(metrics: Metrics, where: string): SummaryRow[] {
  return METRICS.flatMap((name) => {
    const found = metrics[name]
    if (found === undefined) return []
    const { original, result, drop, p_value: p } = found
    const change = drop === null ? '' : metricChange(name, drop)
    return {
      label: `${metricWords(name).label}${where}`,
      original: metricValue(name, original.value),
      result: metricValue(name, result.value),
      change: change === '' || p === null ? change : `${change} (${chance(p)})`,
    }
  })
}

function describeNoise({ sqnr_db: sqnr, identical }: EvaluationResult['fidelity']): string {
  if (identical) return 'identical'
  return sqnr === null ? 'not comparable' : `SQNR ${sqnr.toFixed(1)} dB`
}

function costRows({ original, result, ratios, latency, environment }: EvaluationResult) {
  const pair = (read: (model: ModelMeasurements) => string) => ({
    original: read(original),
    result: read(result),
  })
  const where = `${environment.threads} thread${environment.threads === 1 ? '' : 's'}, batch ${latency.batch_size}`
  const rows: SummaryRow[] = [
    {
      label: 'size',
      ...pair((m) => bytes(m.size.bytes)),
      change: `× ${ratios.size.toFixed(3)}`,
    },
    {
      label: 'size, gzip',
      ...pair((m) => bytes(m.size.gzip_bytes)),
      change: `× ${ratios.size_gzip.toFixed(3)}`,
    },
    {
      label: 'latency p50',
      ...pair((m) => milliseconds(m.latency.p50_ms)),
      change: `${ratios.speed.toFixed(2)} times as fast (${where})`,
    },
    { label: 'latency p95', ...pair((m) => milliseconds(m.latency.p95_ms)), change: '' },
  ]
  if (original.memory !== null && result.memory !== null) {
    rows.push({
      label: 'memory, peak',
      ...pair((m) => bytes(m.memory?.increase_bytes ?? 0)),
      change: ratios.memory === null ? '' : `× ${ratios.memory.toFixed(3)}`,
    })
  }
  rows.push(
    { label: 'parameters', ...pair((m) => count(m.parameters)), change: '' },
    { label: 'MACs', ...pair((m) => count(Math.round(m.macs))), change: missingMacs(result) },
  )
  return rows
}

/** Bodies of functions and operators without a formula are not counted. */
function missingMacs({ macs_nodes_not_counted: missing }: ModelMeasurements): string {
  return missing === 0 ? '' : `without ${count(missing)} nodes that could not be counted`
}

const NEGLIGIBLE_SLOWDOWN = 0.02
/** Less than that would be "1.00 times the size". */
const NEGLIGIBLE_GROWTH = 0.005

function findWarnings(evaluation: EvaluationResult): SummaryWarning[] {
  return [...oddOutputs(evaluation), ...losses(evaluation)]
}

/** Outputs that are infinite or not a number: what is lost then is not the result's fault alone. */
function oddOutputs({ fidelity }: EvaluationResult): SummaryWarning[] {
  const warnings: SummaryWarning[] = []
  const { original_non_finite: original, result_non_finite: result } = fidelity
  if (original > 0) {
    const message = `the original itself gives ${count(original)} values that are infinite or NaN: the result cannot be compared there, and the loss says little`
    warnings.push({ code: 'original_not_finite', message })
  }
  if (result > original) {
    const message = `the result gives ${count(result)} values that are infinite or NaN, the original ${count(original)}`
    warnings.push({ code: 'result_not_finite', message })
  }
  return warnings
}

function losses({ ratios, latency, primary }: EvaluationResult): SummaryWarning[] {
  const warnings: SummaryWarning[] = []
  if (ratios.size > 1 + NEGLIGIBLE_GROWTH) {
    const message = `the file is ${ratios.size.toFixed(2)} times the size of the original`
    warnings.push({ code: 'larger', message })
  }
  // Slower only when the interval says so, and by more than anybody would notice.
  if (latency.speedup_interval.high < 1 - NEGLIGIBLE_SLOWDOWN) {
    const message = `the result runs at ${ratios.speed.toFixed(2)} times the speed of the original`
    warnings.push({ code: 'slower', message })
  }
  const interval = primary.drop_interval
  // Of agreement anything below all is a loss; how much is tolerable is the constraint's affair.
  if (interval !== null && interval.low > 0 && primary.name !== 'fidelity') {
    const { better, drop: kind } = metricWords(primary.name)
    const amount = ((primary.drop ?? 0) * 100).toFixed(2)
    const by = `${better === 'lower' ? 'grew' : 'fell'} by ${amount} ${kind === 'difference' ? 'points' : '%'}`
    const message = `${primary.name} ${by}, more than chance explains`
    warnings.push({ code: 'less_accurate', message })
  }
  if (ratios.memory !== null && ratios.memory > 1.05) {
    const message = `it needs ${ratios.memory.toFixed(2)} times the memory of the original`
    warnings.push({ code: 'more_memory', message })
  }
  return warnings
}

function headlineOf({ ratios, primary }: EvaluationResult): string {
  const size = `${(ratios.size * 100).toFixed(0)} % of the size`
  const speed = `${ratios.speed.toFixed(2)} times the speed`
  return `The result has ${size} and ${speed} of the original, ${describeLoss(primary)}.`
}

function ending(
  constraints: readonly ConstraintCheck[],
  warnings: readonly SummaryWarning[],
): string {
  const unmet = constraints.filter(({ met }) => !met).map(({ name }) => name)
  if (unmet.length > 0) return ` Not met: ${unmet.join(', ')}.`
  if (warnings.length === 0) return ''
  return ` Note: ${warnings.map(({ message }) => message).join('; ')}.`
}

function describeLoss({ name, drop }: EvaluationResult['primary']): string {
  const { label, drop: kind } = metricWords(name)
  if (drop === null) return `with an error in ${name} where it had none`
  if (drop === 0) return `with the same ${name}`
  const amount = Math.abs(drop * 100).toFixed(2)
  if (kind === 'growth') return `with a ${drop > 0 ? 'larger' : 'smaller'} ${label} by ${amount} %`
  return `with ${amount} points ${drop > 0 ? 'less' : 'more'} ${name}`
}
