// What became of the accuracy, in words: with its interval, and what chance would say.
import type { Figure, MetricComparison, Metrics, PairedTest } from '@pare/evaluation'
import { type MetricName, METRICS } from '@pare/recipe'

import {
  capital,
  chance,
  count,
  interval,
  metricChange,
  metricValue,
  metricWords,
  percent,
} from '../../format.js'
import type { Report } from '../../report.js'
import { intervals, scaleOf } from '../charts/intervals.js'
import { html, type Markup } from '../markup.js'
import { plural, type Section } from './section.js'

export const accuracy: Section = {
  id: 'accuracy',
  title: 'Accuracy',
  render: (report) => {
    const { metrics, samples, primary, also_judged } = report.evaluation
    const [first, ...others] = METRICS.flatMap((name) => {
      const found = metrics[name]
      return found === undefined ? [] : [{ name, found }]
    }).toSorted((a, b) => Number(b.name === primary.name) - Number(a.name === primary.name))
    return html`<p class="note">
        Both models ran on the same ${plural(samples, 'sample')}, in fresh sessions; the file that
        is delivered was judged, not a simulation of it.
      </p>
      ${first === undefined ? agreement(report) : inFull(first.name, first.found)}
      ${dropChart(report) ?? ''}${others.map(({ name, found }) => inBrief(name, found))}
      ${also_judged.map(otherOutput)}${outputs(report.evaluation)}`
  },
}

function inFull(name: MetricName, found: MetricComparison): Markup {
  const said = found.test === 'mcnemar' ? counted(name, found) : measured(name, found)
  return html`${said}${note(found)}${modelsChart(name, found)}`
}

function counted(name: MetricName, found: MetricComparison): Markup {
  const { original, result, only_original_right: lost = 0, only_result_right: gained = 0 } = found
  return html`<p>
    The original is right on ${right(original)}, the result on ${right(result)}
    (${metricWords(name).label}). They differ on ${plural(lost + gained, 'sample')}: ${count(lost)}
    only the original has right, ${count(gained)} only the result.
    ${lost + gained === 0 ? 'There is nothing to tell them apart.' : verdict(found)}
  </p>`
}

function right({ correct = 0, total = 0, value }: Figure): Markup {
  return html`${count(correct)} of ${count(total)} (<strong>${percent(value)}</strong>)`
}

function measured(name: MetricName, found: MetricComparison): Markup {
  const { original, result } = found
  const total = original.total === undefined ? '' : ` over ${count(original.total)} labels`
  return html`<p>
    ${capital(metricWords(name).label)}${total} is
    <strong>${metricValue(name, original.value)}</strong> of the original and
    <strong>${metricValue(name, result.value)}</strong> of the result. ${verdict(found)}
  </p>`
}

const TESTS: Readonly<Record<PairedTest, string>> = {
  mcnemar: 'McNemar’s exact paired test',
  paired_t: 'The paired t-test over samples',
  delta: 'The paired test over samples (delta method)',
  delong: 'DeLong’s paired test',
}

function verdict({ test, p_value: p }: MetricComparison): string {
  if (test === null || p === null) return ''
  const meaning =
    p < 0.05
      ? 'so great a difference would be rare were both equally good: the change is real'
      : 'so great a difference is what chance gives two equally good models: no change is shown'
  return `${TESTS[test]} gives ${chance(p)}: ${meaning}.`
}

function note({ note: text, details = {} }: MetricComparison): Markup {
  const ignored = details['ignored_labels'] ?? 0
  const said = [
    text === undefined ? '' : `${capital(text)}.`,
    ignored === 0 ? '' : `${count(ignored)} labels are marked as not to count.`,
  ]
  const shown = said.filter((part) => part !== '')
  return shown.length === 0 ? html`` : html`<p class="note">${shown.join(' ')}</p>`
}

function modelsChart(name: MetricName, { original, result, test }: MetricComparison): Markup {
  if (original.interval === null || result.interval === null) return html``
  const format = (value: number) => metricValue(name, value)
  const row = (label: string, { value, interval: range }: Figure, kind: 'before' | 'after') => ({
    label,
    title: `${label}: ${format(value)}, 95 % interval ${interval(range!, format)}`,
    value: format(value),
    at: value,
    interval: range!,
    kind,
  })
  return html`${intervals({
      rows: [row('original', original, 'before'), row('result', result, 'after')],
      scale: scaleOf([original.interval, result.interval]),
      format,
    })}
    <p class="note">
      Lines are 95 % intervals (${test === 'mcnemar' ? 'Wilson' : 'samples taken as independent'})
      of each model alone. Both saw the same samples, so their difference is known more exactly than
      either:
    </p>`
}

function dropChart({ evaluation }: Report): Markup | null {
  const { drop, drop_interval: range, name } = evaluation.primary
  if (drop === null || range === null || name === 'fidelity') return null
  const isLoss = metricWords(name).better === 'higher'
  const format = (value: number) => metricChange(name, isLoss ? -value : value)
  const shown = isLoss ? { low: -range.high, high: -range.low } : range
  const at = isLoss ? -drop : drop
  return html`${intervals({
      rows: [
        {
          label: `change of ${metricWords(name).label}`,
          title: `${format(at)}, 95 % interval ${interval(shown, format)}`,
          value: format(at),
          at,
          interval: shown,
          kind: 'after',
        },
      ],
      scale: scaleOf([shown], [0]),
      mark: 0,
      format,
    })}
    <p>95 % interval of the change: ${interval(shown, format)}.</p>`
}

function inBrief(name: MetricName, found: MetricComparison): Markup {
  const { original, result, drop, p_value: p } = found
  const change = drop === null ? '' : `, ${metricChange(name, drop)}`
  const byChance = p === null ? '' : ` (${chance(p)})`
  return html`<p>
      ${capital(metricWords(name).label)}: ${metricValue(name, original.value)} →
      ${metricValue(name, result.value)}${change}${byChance}.
    </p>
    ${note(found)}`
}

function otherOutput({ primary, metrics }: Report['evaluation']['also_judged'][number]): Markup {
  return html`<h3>Output <code>${primary.output}</code></h3>
    ${Object.keys(metrics).length === 0 ? likeness(primary) : inEveryMetric(metrics)}`
}

function inEveryMetric(metrics: Metrics): readonly Markup[] {
  return METRICS.flatMap((name) => {
    const found = metrics[name]
    return found === undefined ? [] : [inBrief(name, found)]
  })
}

function likeness({ name, result }: Report['evaluation']['primary']): Markup {
  return html`<p>${capital(metricWords(name).label)}: ${metricValue(name, result)}.</p>`
}

function agreement({ evaluation, metric_reason: reason }: Report): Markup {
  const { primary, fidelity, samples } = evaluation
  if (primary.name !== 'fidelity') return html``
  const range = primary.drop_interval
  const within =
    range === null
      ? ''
      : ` (95 % interval ${interval({ low: 1 - range.high, high: 1 - range.low }, (v) => percent(v))})`
  const what = fidelity.agreement === null ? 'The cosine of their outputs is' : 'They agree on'
  return html`<p>
    ${reason === undefined ? 'The' : `${capital(reason)}: the`} result is compared with the
    original, over ${plural(samples, 'sample')}. ${what} ${percent(primary.result)}${within}.
  </p>`
}

/** How close the outputs are, whoever is right. */
function outputs({ fidelity }: Report['evaluation']): Markup {
  const rows = Object.entries(fidelity.outputs).map(([name, output]) => {
    const parts = [
      output.identical ? 'identical' : '',
      output.agreement === null ? '' : `same class on ${percent(output.agreement)}`,
      output.sqnr_db === null ? '' : `SQNR ${output.sqnr_db.toFixed(1)} dB`,
      output.cosine === null ? '' : `cosine ${output.cosine.toFixed(5)}`,
      `greatest difference ${output.max_abs_difference.toPrecision(3)}`,
    ]
    return html`<li><code>${name}</code>: ${parts.filter((part) => part !== '').join(', ')}</li>`
  })
  return html`<h3>How close the outputs are</h3>
    <ul>
      ${rows.slice(0, 20)}
    </ul>`
}
