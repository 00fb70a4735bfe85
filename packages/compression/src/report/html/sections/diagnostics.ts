// What could not be done, and why: every node that was left out is here.
import type { Diagnostic } from '@pare/graph'

import { code, html, type Markup } from '../markup.js'
import { plural, type Section, table } from './section.js'

/** A longer list is folded. */
const OPEN_UP_TO = 12
const MOST_ROWS = 2000

export const diagnostics: Section = {
  id: 'diagnostics',
  title: 'Diagnostics',
  render: ({ diagnostics: all }) => {
    if (all.length === 0) return html`<p>Nothing was left out.</p>`
    const sorted = [...all].sort((a, b) => rank(a) - rank(b))
    const groups = groupBy(sorted)
    return html`<p>
        ${[...groups].map(([name, list]) => html`<span class="pill plain"><code>${name}</code> ${list.length}</span> `)}
      </p>
      ${
        all.length <= OPEN_UP_TO
          ? rowsOf(sorted)
          : html`<details>
              <summary>All ${plural(all.length, 'message')}</summary>
              ${rowsOf(sorted.slice(0, MOST_ROWS))}
            </details>`
      }`
  },
}

const RANKS: Readonly<Record<string, number>> = { error: 0, warning: 1, info: 2 }

function rank({ severity }: Diagnostic): number {
  return RANKS[severity] ?? 3
}

function groupBy(all: readonly Diagnostic[]): ReadonlyMap<string, readonly Diagnostic[]> {
  const groups = new Map<string, Diagnostic[]>()
  for (const one of all) {
    const group = groups.get(one.code)
    if (group === undefined) groups.set(one.code, [one])
    else group.push(one)
  }
  return groups
}

function rowsOf(all: readonly Diagnostic[]): Markup {
  return table(
    [{ label: '' }, { label: 'code' }, { label: 'node' }, { label: 'message' }],
    all.map(({ severity, code: name, node, message }) => ({
      cells: [
        html`<span class="pill ${severity === 'info' ? 'plain' : 'warn'}">${severity}</span>`,
        code(name),
        node === undefined ? '' : code(node),
        message,
      ],
    })),
  )
}
