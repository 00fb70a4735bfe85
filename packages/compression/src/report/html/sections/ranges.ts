// What calibration saw of each value, and the range that was chosen.
import { short } from '../../format.js'
import type { RangeRow, Report } from '../../report.js'
import { legend } from '../charts/bars.js'
import { histogram, rangeBar } from '../charts/range-charts.js'
import { code, html, type Markup } from '../markup.js'
import { plural, type Section } from './section.js'

/** More pictures than this help nobody, and make the page slow. */
const MOST_HISTOGRAMS = 240
const MOST_BARS = 60

export const ranges: Section = {
  id: 'ranges',
  title: 'Ranges of the activations',
  render: (report) => {
    const rows = (report.ranges ?? []).filter(({ observed }) => observed !== null)
    if (rows.length === 0) return null
    const drawn = rows.filter((row) => row.histogram !== null)
    return html`<p>${sentence(rows)}</p>
      ${movedNote(report)} ${drawn.length > 0 ? histograms(drawn) : rangeBars(rows)}`
  },
}

function sentence(rows: readonly RangeRow[]): string {
  const chosen = rows.filter((row) => row.chosen !== null).length
  const odd = rows.filter(({ non_finite: n }) => n > 0).length
  const warning =
    odd === 0 ? '' : ` ${plural(odd, 'value')} held infinities or NaN, which are not counted.`
  return `${plural(rows.length, 'value')} observed, ${chosen} of them quantized by the range below.${warning}`
}

/** Techniques that scale channels change the model after it was observed. */
function movedNote({ tried = [] }: Report): Markup {
  const moved = tried.filter(({ name, chosen }) => chosen && /equali[sz]|smooth/i.test(name))
  if (moved.length === 0) return html``
  return html`<p class="note">
    Distributions are of the model before ${moved.map(({ name }) => name).join(' and ')}; ranges are
    those chosen after it.
  </p>`
}

function histograms(rows: readonly RangeRow[]): Markup {
  const shown = rows.slice(0, MOST_HISTOGRAMS)
  return html`<details>
    <summary>Distributions of ${plural(rows.length, 'value')}</summary>
    <p class="note">
      Heights grow with the logarithm of the count. Shaded: the chosen range; what lies outside is
      clipped.
    </p>
    <div class="histograms">${shown.map(histogramFigure)}</div>
    ${shown.length < rows.length ? html`<p class="note">The first ${shown.length}; all are in report.json.</p>` : ''}
  </details>`
}

function histogramFigure(row: RangeRow): Markup {
  const { value, histogram: drawn, chosen, type } = row
  if (drawn === null) return html``
  const [min, max] = [
    Math.min(drawn.min, chosen?.min ?? drawn.min),
    Math.max(drawn.max, chosen?.max ?? drawn.max),
  ]
  const choice =
    chosen === null ? 'stays float' : `${type ?? ''} [${short(chosen.min)}, ${short(chosen.max)}]`
  return html`<figure>
    ${histogram(row)}
    <div class="ends"><span>${short(min)}</span><span>${short(max)}</span></div>
    <figcaption>${code(value)}<br />${choice}${clipped(row)}</figcaption>
  </figure>`
}

/** The share of the values outside the chosen range, from the bins: whole bins only. */
function clipped({ histogram: drawn, chosen }: RangeRow): string {
  if (drawn === null || chosen === null) return ''
  const { counts, min, max } = drawn
  const width = (max - min) / counts.length
  const total = counts.reduce((sum, n) => sum + n, 0)
  const outside = counts.reduce((sum, n, bin) => {
    const [low, high] = [min + bin * width, min + (bin + 1) * width]
    return high <= chosen.min || low >= chosen.max ? sum + n : sum
  }, 0)
  if (outside === 0 || total === 0) return ''
  const share = (100 * outside) / total
  return share < 0.01 ? ', under 0.01 % clipped' : `, about ${short(share)} % clipped`
}

function rangeBars(rows: readonly RangeRow[]): Markup {
  const ends = rows
    .flatMap(({ observed, chosen }) => [observed, chosen])
    .filter((one) => one !== null)
  const scale = {
    min: Math.min(0, ...ends.map(({ min }) => min)),
    max: Math.max(0, ...ends.map(({ max }) => max)),
  }
  const shown = rows.slice(0, MOST_BARS)
  return html`<details>
    <summary>Ranges of ${plural(rows.length, 'value')}</summary>
    ${legend([
      ['before', 'observed'],
      ['after', 'chosen'],
    ])}
    <div class="bars">
      ${shown.map(
        ({ value, observed, chosen }) =>
          html`<div class="bar">
            <span class="label">${code(value)}</span>
            ${observed === null ? '' : rangeBar(observed, chosen, scale)}<span class="value"
              >${observed === null ? '' : `${short(observed.min)} … ${short(observed.max)}`}</span
            >
          </div>`,
      )}
      <div class="scale">
        <span class="ends"><span>${short(scale.min)}</span><span>${short(scale.max)}</span></span>
      </div>
    </div>
    ${shown.length < rows.length ? html`<p class="note">The first ${shown.length}; all are in report.json.</p>` : ''}
  </details>`
}
