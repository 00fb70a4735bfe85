// Which layers cost accuracy: each alone where that was measured, and what adds up along the network.
import { decibels, signed } from '../../format.js'
import type { Report, SensitivityRow } from '../../report.js'
import { type Bar, bars, legend } from '../charts/bars.js'
import { code, html, type Markup } from '../markup.js'
import { plural, type Section } from './section.js'

const MOST_BARS = 30

export const sensitivity: Section = {
  id: 'sensitivity',
  title: 'Sensitivity per layer',
  render: (report) => {
    const alone = aloneChart(report)
    const along = alongChart(report)
    return alone === null && along === null ? null : html`${alone ?? ''}${along ?? ''}`
  },
}

function aloneChart({ sensitivity: rows = [] }: Report): Markup | null {
  const known = rows.filter((row) => row.quantized_alone_sqnr_db !== null)
  const [worst] = known
  if (worst === undefined) return null
  const greatest = Math.max(...known.map((row) => noiseOf(row.quantized_alone_sqnr_db)))
  return html`<h3>Each layer alone</h3>
    <p>
      Noise in the model’s outputs with only this layer quantized: a long bar is a layer that costs
      accuracy. The figure is the SQNR; in brackets what it gains when of all layers this one stays
      float.
    </p>
    ${bars(known.slice(0, MOST_BARS).map((row) => aloneBar(row, greatest)))} ${rest(known.length)}`
}

/** Power of the noise for a signal of power 1. */
function noiseOf(sqnr: number | null): number {
  return sqnr === null ? 0 : 10 ** (-sqnr / 10)
}

function aloneBar(row: SensitivityRow, greatest: number): Bar {
  const { node, quantized_alone_sqnr_db: sqnr, float_alone_gain_db: gain } = row
  return {
    label: html`${code(node)} <span class="dim">${row.op_type}</span>`,
    title: `${node.slice(0, 100)}: ${decibels(sqnr)}`,
    value: `${decibels(sqnr)}${gain === null ? '' : ` (${signed(gain, 1)})`}`,
    parts: [{ share: noiseOf(sqnr) / greatest, kind: 'after' }],
  }
}

function alongChart(report: Report): Markup | null {
  const known = report.evaluation.layers.filter(({ sqnr_db }) => sqnr_db !== null)
  if (known.length === 0) return null
  const changed = changedValues(report)
  const greatest = Math.max(...known.map(({ sqnr_db }) => noiseOf(sqnr_db)))
  const rows = known.slice(0, MOST_BARS).map(({ tensor, node, op_type, sqnr_db }): Bar => ({
    label: html`${code(node)} <span class="dim">${op_type}</span>`,
    title: `${node.slice(0, 100)}: ${decibels(sqnr_db)}`,
    value: decibels(sqnr_db),
    parts: [{ share: noiseOf(sqnr_db) / greatest, kind: changed.has(tensor) ? 'after' : 'before' }],
  }))
  return html`<h3>Along the network</h3>
    <p>
      Noise at the output of each node when the whole result runs, of all layers up to there; the
      figure is the SQNR, the noisiest first.
    </p>
    ${legend([
      ['after', 'changed by this job'],
      ['before', 'computes as before, on noisy input'],
    ])}
    ${bars(rows)} ${rest(known.length)}`
}

/** What layers with other numbers than before write, and what is fused into them. */
function changedValues({ layers, evaluation: { profile } }: Report): ReadonlySet<string> {
  const changed = layers.filter(({ scheme }) => scheme !== 'float32')
  const nodes = new Set(changed.map(({ node }) => node))
  const kernels = (profile?.result.kernels ?? []).filter(
    ({ node }) => node !== null && nodes.has(node),
  )
  return new Set([
    ...changed.map(({ output }) => output),
    ...kernels.flatMap(({ covers }) => covers),
  ])
}

function rest(known: number): Markup {
  if (known <= MOST_BARS) return html``
  return html`<p class="note">
    The ${MOST_BARS} worst of ${plural(known, 'value')}; all are in report.json.
  </p>`
}
