// The candidates that were compared, and what each gained.
import { decibels, percent, signed } from '../../format.js'
import type { TriedRow } from '../../report.js'
import { barsOnly } from '../charts/bars.js'
import { html, type Markup } from '../markup.js'
import { plural, type Section, table } from './section.js'

export const tried: Section = {
  id: 'tried',
  title: 'What was tried, and what it gained',
  render: ({ tried: rows }) => {
    if (rows === undefined || rows.length === 0) return null
    const greatest = Math.max(1, ...rows.map(({ sqnr_db: sqnr }) => sqnr ?? 0))
    return html`<p>${gained(rows)}</p>
      ${table(
        [
          { label: 'candidate' },
          { label: 'SQNR', numeric: true },
          { label: '' },
          { label: 'against the best before', numeric: true },
          { label: 'drop', numeric: true },
          { label: 'float layers', numeric: true },
          { label: 'note' },
        ],
        rows.map((row, at) => ({
          chosen: row.chosen,
          cells: [
            html`<span class="name">${row.name}</span>
              ${row.chosen ? html`<span class="pill good">kept</span>` : ''}<span class="why"
                >${row.description}</span
              >`,
            row.sqnr_db === null ? '' : decibels(row.sqnr_db),
            row.sqnr_db === null
              ? ''
              : barsOnly(decibels(row.sqnr_db), [
                  { share: row.sqnr_db / greatest, kind: row.chosen ? 'after' : 'before' },
                ]),
            gainOf(rows, at),
            row.drop === undefined || row.drop === null ? '' : percent(row.drop),
            row.sqnr_db === null ? '' : row.layers_float,
            row.note ?? '',
          ],
        })),
      )}
      <p class="note">
        SQNR: signal to quantization noise of the model’s outputs on calibration data; more is
        better, and 3 dB are half the noise.
      </p>`
  },
}

/** The best of what was kept before a candidate. */
function bestBefore(rows: readonly TriedRow[], at: number): number | undefined {
  return (
    rows.slice(0, at).findLast(({ chosen, sqnr_db }) => chosen && sqnr_db !== null)?.sqnr_db ??
    undefined
  )
}

function gainOf(rows: readonly TriedRow[], at: number): string {
  const [before, own] = [bestBefore(rows, at), rows[at]?.sqnr_db ?? null]
  return before === undefined || own === null ? '' : `${signed(own - before, 1)} dB`
}

function gained(rows: readonly TriedRow[]): Markup {
  const measured = rows.filter(({ sqnr_db }) => sqnr_db !== null)
  const [first] = measured
  const last = measured.findLast(({ chosen }) => chosen)
  if (first === undefined || last === undefined) return html`${plural(rows.length, 'candidate')}.`
  if (last === first) {
    return html`${plural(measured.length, 'candidate was', 'candidates were')} run; none was better
    than the first, “${first.name}”, by enough to keep it.`
  }
  const gain = (last.sqnr_db ?? 0) - (first.sqnr_db ?? 0)
  return html`${plural(measured.length, 'candidate was', 'candidates were')} run; what was kept
    changes the SQNR of the outputs from ${decibels(first.sqnr_db)} to ${decibels(last.sqnr_db)}
    (<strong>${signed(gain, 1)} dB</strong>).`
}
