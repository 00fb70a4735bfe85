// The report as one page for people: no script, nothing loaded from anywhere, everything in it.
import { createHash } from 'node:crypto'

import type { Report } from '../report.js'
import { html } from './markup.js'
import { accuracy } from './sections/accuracy.js'
import { dataQuality } from './sections/data-quality.js'
import { diagnostics } from './sections/diagnostics.js'
import { figures, headline, tiles, warnings } from './sections/headline.js'
import { layers } from './sections/layers.js'
import { operators } from './sections/operators.js'
import { ranges } from './sections/ranges.js'
import { reproduce } from './sections/reproduce.js'
import type { Section } from './sections/section.js'
import { sensitivity } from './sections/sensitivity.js'
import { steps } from './sections/steps.js'
import { tried } from './sections/tried.js'
import { STYLE } from './style.js'

const SECTIONS: readonly Section[] = [
  figures,
  steps,
  accuracy,
  tried,
  sensitivity,
  operators,
  layers,
  ranges,
  dataQuality,
  diagnostics,
  reproduce,
]

/** Only this one style sheet may have an effect, wherever the file is opened. */
export const REPORT_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`

/** Renders `report.html`. Everything that a model or a request said is escaped. */
export function renderReport(report: Report): string {
  const sections = SECTIONS.flatMap((section) => {
    const content = section.render(report)
    return content === null ? [] : [{ ...section, content }]
  })
  const links = sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)
  const bodies = sections.map(
    ({ id, title, content }) =>
      html`<section id="${id}">
        <h2>${title}</h2>
        ${content}
      </section> `,
  )
  const head = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${REPORT_POLICY}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Compression report</title>
<style>`
  const body = html`</style></head>
<body><header>${headline(report)}<nav aria-label="Sections">${links}</nav></header>
<main>${tiles(report)}${warnings(report)}${bodies}</main>
<footer>Engine ${report.engine_version}, report version ${report.version}. The same in numbers: report.json.</footer></body></html>
`
  return head.text + STYLE + body.text
}
