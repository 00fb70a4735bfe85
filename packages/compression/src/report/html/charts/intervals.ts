// Values with their intervals on one scale.
import type { Interval } from '@pare/evaluation'

import { type Content, html, type Markup, NOTHING } from '../markup.js'

export interface IntervalRow {
  readonly label: Content
  readonly title: string
  readonly value: Content
  readonly at: number
  readonly interval: Interval
  readonly kind: 'before' | 'after'
}

export interface Scale {
  readonly low: number
  readonly high: number
}

/** A scale that holds all of the intervals, and `also`, with a little room. */
export function scaleOf(intervals: readonly Interval[], also: readonly number[] = []): Scale {
  const low = Math.min(...intervals.map((interval) => interval.low), ...also)
  const high = Math.max(...intervals.map((interval) => interval.high), ...also)
  const room = (high - low || Math.abs(high) || 1) * 0.08
  return { low: low - room, high: high + room }
}

export interface IntervalChart {
  readonly rows: readonly IntervalRow[]
  readonly scale: Scale
  /** Where a line is drawn: usually 0. */
  readonly mark?: number
  readonly format: (value: number) => string
}

export function intervals({ rows, scale, mark, format }: IntervalChart): Markup {
  const x = (value: number) =>
    `${((100 * (value - scale.low)) / (scale.high - scale.low)).toFixed(2)}%`
  const line =
    mark === undefined
      ? NOTHING
      : html`<line class="axis" x1="${x(mark)}" x2="${x(mark)}" y1="0" y2="100%" />`
  const drawn = rows.map(
    ({ label, title, value, at, interval, kind }) =>
      html`<div class="bar">
        <span class="label">${label}</span>
        <svg class="h3" role="img">
          <title>${title}</title>
          <line class="grid" x1="0" x2="100%" y1="50%" y2="50%" />
          ${line}
          <line
            class="line${kind}"
            x1="${x(interval.low)}"
            x2="${x(interval.high)}"
            y1="50%"
            y2="50%"
          />
          <circle class="${kind}" cx="${x(at)}" cy="50%" r="5" />
        </svg>
        <span class="value">${value}</span>
      </div>`,
  )
  return html`<div class="bars">
    ${drawn}
    <div class="scale">
      <span class="ends"><span>${format(scale.low)}</span><span>${format(scale.high)}</span></span>
    </div>
  </div>`
}
