// What became of the accuracy, in words: with its interval, and what chance would say.
import type { Accuracy, AccuracyComparison, ErrorComparison } from '@pare/evaluation'

import { count, interval, percent, signed } from '../../format.js'
import type { Report } from '../../report.js'
import { intervals, scaleOf } from '../charts/intervals.js'
import { html, type Markup } from '../markup.js'
import { plural, type Section } from './section.js'

export const accuracy: Section = {
  id: 'accuracy',
  title: 'Accuracy',
  render: (report) => {
    const { evaluation } = report
    const { metrics, samples, primary } = evaluation
    const main = metrics.top1 ?? metrics.top5
    return html`<p class="note">
        Both models ran on the same ${plural(samples, 'sample')}, in fresh sessions; the file that
        is delivered was judged, not a simulation of it.
      </p>
      ${main === undefined ? '' : classes(main, metrics.top1 === undefined ? 'top 5' : 'top 1')}
      ${metrics.mse === undefined ? '' : errors(metrics.mse, samples)}
      ${primary.name === 'fidelity' && main === undefined ? agreement(evaluation) : ''}
      ${dropChart(report) ?? ''}${outputs(evaluation)}`
  },
}

function classes(comparison: AccuracyComparison, name: string): Markup {
  const { original, result, only_original_right: lost, only_result_right: gained } = comparison
  const differing = lost + gained
  return html`<p>
      The original is right on ${right(original)}, the result on ${right(result)} (${name}). They
      differ on ${plural(differing, 'sample')}: ${count(lost)} only the original has right,
      ${count(gained)} only the result. ${verdictOf(comparison)}
    </p>
    ${accuracyChart(comparison)}`
}

function right({ correct, total, value }: Accuracy): Markup {
  return html`${count(correct)} of ${count(total)} (<strong>${percent(value)}</strong>)`
}

function verdictOf({ p_value: p, only_original_right, only_result_right }: AccuracyComparison) {
  if (only_original_right + only_result_right === 0) return 'There is nothing to tell them apart.'
  const meaning =
    p < 0.05
      ? 'so uneven a split would be rare were both equally good: the difference is real'
      : 'so uneven a split is what chance gives two equally good models: no difference is shown'
  return `McNemar’s exact paired test gives p = ${p.toFixed(p < 0.01 ? 4 : 2)}: ${meaning}.`
}

function accuracyChart({ original, result }: AccuracyComparison): Markup {
  const format = (value: number) => percent(value, 1)
  const row = (label: string, one: Accuracy, kind: 'before' | 'after') => ({
    label,
    title: `${label}: ${percent(one.value)}, 95 % interval ${interval(one.interval, (v) => percent(v))}`,
    value: percent(one.value),
    at: one.value,
    interval: one.interval,
    kind,
  })
  return html`${intervals({
      rows: [row('original', original, 'before'), row('result', result, 'after')],
      scale: scaleOf([original.interval, result.interval]),
      format,
    })}
    <p class="note">
      Lines are 95 % intervals (Wilson) of each model alone. Both saw the same samples, so their
      difference is known more exactly than either:
    </p>`
}

function dropChart({ evaluation }: Report): Markup | null {
  const { drop, drop_interval: range, name } = evaluation.primary
  if (drop === null || range === null || name === 'fidelity') return null
  const unit = name === 'mse' ? '%' : 'points'
  const change = { low: -range.high, high: -range.low }
  const shown = name === 'mse' ? range : change
  const at = name === 'mse' ? drop : -drop
  const format = (value: number) => `${signed(value * 100, 2)} ${unit}`
  return html`${intervals({
      rows: [
        {
          label: name === 'mse' ? 'change of the error' : `change of ${name}`,
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

function errors(
  { original, result, p_value: p, interval: range }: ErrorComparison,
  samples: number,
) {
  const change =
    range === null
      ? ''
      : ` Over ${plural(samples, 'sample')} the error per sample changed by ${interval(range, (v) => v.toPrecision(3))} (95 % interval of the paired difference).`
  const test =
    p === null
      ? ''
      : ` The paired test gives p = ${p.toFixed(p < 0.01 ? 4 : 2)}: ${p < 0.05 ? 'the change is real' : 'no change is shown beyond chance'}.`
  return html`<p>
    The mean squared error is ${original.toPrecision(4)} of the original and
    ${result.toPrecision(4)} of the result.${change}${test}
  </p>`
}

function agreement({ primary, fidelity, samples }: Report['evaluation']): Markup {
  const range = primary.drop_interval
  const within =
    range === null
      ? ''
      : ` (95 % interval ${interval({ low: 1 - range.high, high: 1 - range.low }, (v) => percent(v))})`
  const what = fidelity.agreement === null ? 'The cosine of their outputs is' : 'They agree on'
  return html`<p>
    There is no label to judge by: the result is compared with the original, over
    ${plural(samples, 'sample')}. ${what} ${percent(primary.result)}${within}.
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
