// What a reader sees first: the verdict, four figures, what to be wary of.
import {
  bytes,
  capital,
  metricChange,
  metricValue,
  metricWords,
  milliseconds,
  percent,
} from '../../format.js'
import type { Report } from '../../report.js'
import { type Bar, barsOnly } from '../charts/bars.js'
import { type Content, html, type Markup } from '../markup.js'
import { type Section, table } from './section.js'

export function headline(report: Report): Markup {
  const { summary, constraints } = report
  return html`<p class="kicker">Compression report · ${constraintPill(report)}</p>
    <h1>${summary.headline}</h1>
    ${constraints.map(
      ({ name, limit, measured, met }) =>
        html`<p class="note">
          Asked for: ${name} of at most ${percent(limit)}; measured:
          ${measured === null ? 'an error where there was none' : percent(measured)}.
          ${met ? '' : 'The best candidate is kept among the artifacts.'}
        </p>`,
    )}`
}

function constraintPill({ constraints }: Report): Markup {
  if (constraints.length === 0) return html`<span class="pill plain">no constraint set</span>`
  return constraints.every(({ met }) => met)
    ? html`<span class="pill good">constraints met</span>`
    : html`<span class="pill bad">constraint not met</span>`
}

export function tiles({ evaluation }: Report): Markup {
  const { original, result, ratios } = evaluation
  const tilesShown = [
    qualityTile(evaluation),
    tile('Size', {
      figure: percent(ratios.size, 0),
      pair: [bytes(original.size.bytes), bytes(result.size.bytes)],
      shares: [original.size.bytes, result.size.bytes],
    }),
    tile('Speed', {
      figure: `${ratios.speed.toFixed(2)} ×`,
      pair: [milliseconds(original.latency.p50_ms), milliseconds(result.latency.p50_ms)],
      shares: [original.latency.p50_ms, result.latency.p50_ms],
    }),
    original.memory === null || result.memory === null
      ? html``
      : tile('Peak memory', {
          figure: ratios.memory === null ? '–' : percent(ratios.memory, 0),
          pair: [bytes(original.memory.increase_bytes), bytes(result.memory.increase_bytes)],
          shares: [original.memory.increase_bytes, result.memory.increase_bytes],
        }),
  ]
  return html`<div class="tiles">${tilesShown}</div>`
}

interface TileContent {
  readonly figure: Content
  readonly pair: readonly [string, string]
  readonly shares: readonly [number, number]
}

function tile(title: string, { figure, pair, shares }: TileContent): Markup {
  const greatest = Math.max(...shares)
  const parts: Bar['parts'] = [
    { share: shares[0] / greatest, kind: 'before' },
    { share: shares[1] / greatest, kind: 'after' },
  ]
  return html`<div class="tile">
    <h2>${title}</h2>
    <div class="figure">${figure}</div>
    <p class="pair">${pair[0]} → ${pair[1]}</p>
    ${barsOnly(`${title}: ${pair[0]} before, ${pair[1]} after`, parts)}
  </div>`
}

function qualityTile({ primary }: Report['evaluation']): Markup {
  const { name, original, result, drop } = primary
  // Of likeness the original has all: what is left says more than what is lost.
  const whole = name === 'fidelity' ? percent(result) : null
  const figure = whole ?? (drop === null ? '–' : metricChange(name, drop))
  return tile(capital(metricWords(name).label), {
    figure,
    pair: [metricValue(name, original), metricValue(name, result)],
    shares: [Math.max(0, original), Math.max(0, result)],
  })
}

export function warnings({ summary }: Report): Markup {
  if (summary.warnings.length === 0) return html``
  return html`<ul class="notes">
    ${summary.warnings.map(({ message }) => html`<li>${capital(message)}.</li>`)}
  </ul>`
}

export const figures: Section = {
  id: 'figures',
  title: 'Figures',
  render: ({ summary }) =>
    table(
      [
        { label: '' },
        { label: 'original', numeric: true },
        { label: 'result', numeric: true },
        { label: 'change' },
      ],
      summary.rows.map(({ label, original, result, change }) => ({
        cells: [label, original, result, change],
      })),
    ),
}
