// Ranges and distributions of values.
import type { Range, RangeRow } from '../../report.js'
import { html, type Markup, NOTHING } from '../markup.js'

const HEIGHT = 40

/** A distribution with the chosen range shaded; heights grow with the logarithm of the count. */
export function histogram({ value, histogram: drawn, chosen }: RangeRow): Markup {
  if (drawn === null) return NOTHING
  const { counts } = drawn
  const ends = around(drawn, chosen)
  const x = (at: number) => (100 * (at - ends.min)) / (ends.max - ends.min || 1)
  const greatest = Math.log1p(Math.max(...counts))
  const width = (drawn.max - drawn.min) / counts.length
  const path = counts
    .map((n, bin) => {
      if (n === 0) return ''
      const height = (HEIGHT - 2) * Math.max(0.04, Math.log1p(n) / greatest)
      const from = x(drawn.min + bin * width)
      const wide = width === 0 ? 1 : x(ends.min + width) * 0.92
      return `M${from.toFixed(2)} ${HEIGHT}v${(-height).toFixed(1)}h${wide.toFixed(2)}V${HEIGHT}z`
    })
    .join('')
  return html`<svg viewBox="0 0 100 ${HEIGHT}" preserveAspectRatio="none" role="img">
    <title>Distribution of ${value.slice(0, 100)}</title>
    ${shade(chosen, x)}
    <path class="before" d="${path}" />
    ${edges(chosen, x)}
  </svg>`
}

/** The range observed, as a bar, on a scale that all values of the model share; the chosen one below. */
export function rangeBar(observed: Range, chosen: Range | null, scale: Range): Markup {
  const x = (at: number) => (100 * (at - scale.min)) / (scale.max - scale.min || 1)
  const bar = ({ min, max }: Range, kind: string, y: number) =>
    html`<rect
      class="${kind}"
      x="${x(min).toFixed(2)}%"
      width="${Math.max(0.3, x(max) - x(min)).toFixed(2)}%"
      y="${y}%"
      height="38%"
      rx="2"
    />`
  return html`<svg class="h2" role="img">
    <title>${observed.min} to ${observed.max}</title>
    <line class="axis" x1="${x(0).toFixed(2)}%" x2="${x(0).toFixed(2)}%" y1="0" y2="100%" />
    ${bar(observed, 'before', 8)}${chosen === null ? NOTHING : bar(chosen, 'after', 54)}
  </svg>`
}

function around(observed: Range, chosen: Range | null): Range {
  if (chosen === null) return observed
  return { min: Math.min(observed.min, chosen.min), max: Math.max(observed.max, chosen.max) }
}

function shade(chosen: Range | null, x: (at: number) => number): Markup {
  if (chosen === null) return NOTHING
  const [from, to] = [x(chosen.min), x(chosen.max)]
  return html`<rect
    class="shade"
    x="${from.toFixed(2)}"
    width="${(to - from).toFixed(2)}"
    height="${HEIGHT}"
  />`
}

function edges(chosen: Range | null, x: (at: number) => number): Markup {
  if (chosen === null) return NOTHING
  return html`${[chosen.min, chosen.max].map((end) => {
    const at = Math.min(99.6, Math.max(0.4, x(end))).toFixed(2)
    return html`<line
      class="edge"
      vector-effect="non-scaling-stroke"
      x1="${at}"
      x2="${at}"
      y1="0"
      y2="${HEIGHT}"
    />`
  })}`
}
