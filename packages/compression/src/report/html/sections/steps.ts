// What the model was like behind each step: where several were taken, or one again and again.
import { STEP_TABLE, type StepSpec } from '@pare/recipe'

import { bytes, milliseconds, percent } from '../../format.js'
import type { Report, StepRow } from '../../report.js'
import { type Content, html } from '../markup.js'
import { plural, type Section, table } from './section.js'

export const steps: Section = {
  id: 'steps',
  title: 'Step by step',
  render: ({ steps: rows, constraints }) => {
    if (rows.length < 2) return null
    return html`<p>${told(rows, constraints)}</p>
      ${table(
        COLUMNS,
        rows.map((row) => ({ chosen: row === delivered(rows), cells: cellsOf(row) })),
      )}
      <p class="note">
        Size: of the file, and of the file in gzip, beside the original. Zeros, and weights of few
        values, make no file smaller by themselves and no runtime without kernels for them faster;
        they show in gzip.
      </p>`
  },
}

const COLUMNS = [
  { label: 'step' },
  { label: 'size', numeric: true },
  { label: 'gzip', numeric: true },
  { label: 'zeros', numeric: true },
  { label: 'loss', numeric: true },
  { label: 'latency', numeric: true },
] as const

function delivered(rows: readonly StepRow[]): StepRow | undefined {
  return rows.findLast(({ kept }) => kept)
}

function told(rows: readonly StepRow[], constraints: Report['constraints']): string {
  const rounds = new Set(rows.flatMap(({ round }) => round ?? []))
  if (rounds.size === 0) return `${plural(rows.length, 'step was', 'steps were')} taken.`
  const given = new Set(rows.flatMap(({ round, kept }) => (kept ? [] : (round ?? []))))
  const limit = constraints.map(({ name, limit }) => `${name} ${limit}`).join(', ')
  const end = given.size === 0 ? 'all of them held' : `round ${[...given].join(', ')} broke it`
  return `${plural(rounds.size, 'round')} under ${limit}: ${end}.`
}

function cellsOf(row: StepRow): readonly Content[] {
  const { size, sparsity, primary, latency } = row
  return [
    html`<span class="name">${row.label}</span
      >${row.kept ? '' : html`<span class="pill plain">given up</span>`}<span class="why"
        >${changedOf(row)}</span
      >`,
    size === null
      ? ''
      : html`${percent(size.ratio, 1)}<span class="why">${bytes(size.bytes)}</span>`,
    size === null
      ? ''
      : html`${percent(size.gzip_ratio, 1)}<span class="why">${bytes(size.gzip_bytes)}</span>`,
    sparsity === null ? '' : percent(sparsity, 1),
    primary === null ? '' : lossOf(primary),
    latency === null
      ? ''
      : html`${milliseconds(latency.p50_ms)}<span class="why"
            >${latency.speedup.toFixed(2)} times as fast</span
          >`,
  ]
}

function lossOf({ name, drop }: NonNullable<StepRow['primary']>): Content {
  return html`${drop === null ? '–' : percent(drop)}<span class="why">${name}</span>`
}

/** How far the step went, which is what tells rounds apart; a choice only where it is not the usual. */
function changedOf({ type, parameters }: StepRow): string {
  const row: StepSpec = STEP_TABLE[type]
  const { shown = [] } = row
  return shown
    .flatMap((name) => {
      const value = parameters[name]
      if (typeof value === 'number') return [`${name} ${value}`]
      return typeof value === 'string' && value !== usual(row, name) ? [`${name} ${value}`] : []
    })
    .join(', ')
}

function usual({ parameters }: StepSpec, name: string): unknown {
  const spec = parameters[name]
  return spec !== undefined && 'default' in spec ? spec.default : undefined
}
