import type { Report } from '../../report.js'
import { type Content, html, type Markup } from '../markup.js'

/** A part of the page; `render` gives nothing where the report has nothing of the kind. */
export interface Section {
  /** Of the link to it. */
  readonly id: string
  readonly title: string
  readonly render: (report: Report) => Markup | null
}

/** A table whose rows become cards on a narrow screen. */
export function table(columns: readonly Column[], rows: readonly Row[]): Markup {
  const head = columns.map(
    ({ label, numeric }) => html`<th scope="col" ${numberClass(numeric)}>${label}</th>`,
  )
  return html`<div class="scroll">
    <table class="cards">
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => tableRow(columns, row))}
      </tbody>
    </table>
  </div>`
}

export interface Column {
  readonly label: string
  readonly numeric?: boolean
}

export interface Row {
  readonly cells: readonly Content[]
  readonly chosen?: boolean
}

function tableRow(columns: readonly Column[], { cells, chosen = false }: Row): Markup {
  const drawn = cells.map((cell, at) => {
    const { label, numeric = false } = columns[at]!
    const isEmpty = cell === '' || cell === null || cell === undefined
    const classes = [numeric ? 'number' : '', isEmpty ? 'empty' : ''].filter((name) => name !== '')
    const attribute = classes.length === 0 ? html`` : html` class="${classes.join(' ')}"`
    return html`<td${attribute} data-label="${label}"><span>${cell}</span></td>`
  })
  return html`<tr${chosen ? html` class="chosen"` : html``}>${drawn}</tr>\n`
}

function numberClass(numeric = false): Markup {
  return numeric ? html` class="number"` : html``
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`
}
