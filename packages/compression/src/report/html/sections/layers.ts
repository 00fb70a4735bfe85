// Every layer: what was decided, why, and what was measured.
import { decibels, microseconds, percent, short } from '../../format.js'
import type { LayerRow, Range } from '../../report.js'
import { barsOnly } from '../charts/bars.js'
import { code, type Content, html, type Markup } from '../markup.js'
import { plural, type Section, table } from './section.js'

export const layers: Section = {
  id: 'layers',
  title: 'Layers',
  render: ({ layers: rows, evaluation }) => {
    if (rows.length === 0) return null
    const sqnr = new Map(evaluation.layers.map((error) => [error.tensor, error.identical]))
    const several = new Set(rows.map(({ step }) => step)).size > 1
    const greatest = Math.max(...rows.map((row) => row.share_of_time ?? 0), 1e-9)
    return html`<p>${counts(rows)}</p>
      ${table(
        COLUMNS,
        rows.map((row) => ({
          cells: cellsOf(row, { greatest, several, same: sqnr.get(row.output) === true }),
        })),
      )}
      <p class="note">
        Range: the calibrated range of input → output. SQNR: at the layer’s output when the whole
        result runs. Saturation: channels whose products may overflow 16-bit sums on processors
        without VNNI. Time: share of all kernels of the result; a layer without it is computed
        inside the kernel of another.
      </p>`
  },
}

const COLUMNS = [
  { label: 'layer' },
  { label: 'decision' },
  { label: 'scheme' },
  { label: 'range' },
  { label: 'SQNR', numeric: true },
  { label: 'saturation', numeric: true },
  { label: 'kernel' },
  { label: 'time', numeric: true },
] as const

function counts(rows: readonly LayerRow[]): string {
  const decisions = new Map<string, number>()
  for (const { decision } of rows) decisions.set(decision, (decisions.get(decision) ?? 0) + 1)
  const list = [...decisions].map(([decision, n]) => `${n} ${decision}`)
  return `${plural(rows.length, 'layer')}: ${list.join(', ')}.`
}

interface RowSetting {
  /** Greatest share of time of all rows. */
  readonly greatest: number
  /** Whether the layer's output is exactly the original's. */
  readonly same: boolean
  /** Whether rows are of more than one step. */
  readonly several: boolean
}

function cellsOf(row: LayerRow, { greatest, same, several }: RowSetting): readonly Content[] {
  return [
    html`${code(row.node)}<span class="why">${row.opType}${several ? `, ${row.step}` : ''}</span>`,
    decisionCell(row),
    row.scheme,
    rangeCell(row.range),
    row.sqnr_db === null ? (same ? 'exact' : '') : decibels(row.sqnr_db),
    riskCell(row),
    row.kernel === null ? '' : code(row.kernel),
    timeCell(row, greatest),
  ]
}

function decisionCell({ decision, reason, message }: LayerRow): Markup {
  const kind = decision === 'float' || decision === 'float32' ? 'plain' : 'good'
  const why = message ?? reason
  return html`<span class="pill ${kind}">${decision}</span
    >${why === undefined ? '' : html`<span class="why">${why}</span>`}`
}

function rangeCell(range: LayerRow['range']): Content {
  if (range === null) return ''
  const text = (one: Range | null) =>
    one === null ? '…' : `[${short(one.min)}, ${short(one.max)}]`
  return `${text(range.input)} → ${text(range.output)}`
}

function riskCell({ saturation_risk: risk }: LayerRow): Content {
  if (risk === null) return ''
  if (risk.channels === 0) return html`<span class="good">none</span>`
  return html`<span class="warn">${risk.channels} of ${risk.of}</span>`
}

function timeCell({ share_of_time: share, time_us: time }: LayerRow, greatest: number): Content {
  if (share === null) return ''
  const before = time.original === null ? '' : ` (was ${microseconds(time.original)})`
  return html`${percent(share, 1)}${barsOnly(percent(share, 1), [{ share: share / greatest, kind: 'after' }])}<span
      class="why"
      >${time.result === null ? '' : microseconds(time.result)}${before}</span
    >`
}
