// Where bytes and time go, by type of operator.
import type { OpTypeRow } from '@pare/evaluation'

import { bytes, microseconds, percent } from '../../format.js'
import type { Report } from '../../report.js'
import { type Bar, bars, BEFORE_AFTER, legend } from '../charts/bars.js'
import { code, html, type Markup } from '../markup.js'
import { plural, type Section, table } from './section.js'

const MOST_BARS = 12

export const operators: Section = {
  id: 'operators',
  title: 'Size and time by type of operator',
  render: (report) => {
    if (report.op_types.length === 0) return null
    return html`${legend(BEFORE_AFTER)}
      <div class="columns">
        <div>
          <h3>Size of the weights</h3>
          ${sizeChart(report)}
        </div>
        <div>
          <h3>Time per run</h3>
          ${timeChart(report)}
        </div>
      </div>
      <details>
        <summary>All operators</summary>
        ${operatorTable(report)}
      </details>
      <p class="note">
        Quantized forms stand with what they compute: QLinearConv under Conv, MatMulNBits under
        MatMul. Weights count for the operator that computes with them. Nodes that the runtime fuses
        into others keep their count and lose their time.
      </p>
      ${profileNote(report)}`
  },
}

function sizeChart({ op_types: rows }: Report): Markup {
  const sized = rows
    .filter(({ original, result }) => original.bytes + result.bytes > 0)
    .sort((a, b) => b.original.bytes - a.original.bytes)
    .slice(0, MOST_BARS)
  const greatest = Math.max(1, ...sized.flatMap((row) => [row.original.bytes, row.result.bytes]))
  if (sized.length === 0) return html`<p class="note">The models have no weights.</p>`
  return bars(
    sized.map((row) =>
      pair(
        row,
        [row.original.bytes / greatest, row.result.bytes / greatest],
        [sizeOf(row.original.bytes), sizeOf(row.result.bytes)],
      ),
    ),
  )
}

function timeChart({ op_types: rows, evaluation: { profile } }: Report): Markup {
  if (profile === null) return html`<p class="note">Time per kernel was not measured.</p>`
  const timed = rows
    .map((row) => ({
      row,
      before: (row.original.time_share ?? 0) * profile.original.kernels_us,
      after: (row.result.time_share ?? 0) * profile.result.kernels_us,
    }))
    .filter(({ before, after }) => before + after > 0)
    .sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after))
    .slice(0, MOST_BARS)
  const greatest = Math.max(1, ...timed.flatMap(({ before, after }) => [before, after]))
  return bars(
    timed.map(({ row, before, after }) =>
      pair(row, [before / greatest, after / greatest], [timeOf(before), timeOf(after)]),
    ),
  )
}

const NONE = '–'

function timeOf(us: number): string {
  return us === 0 ? NONE : microseconds(us)
}

function sizeOf(size: number): string {
  return size === 0 ? NONE : bytes(size)
}

function pair(
  { op_type: name }: OpTypeRow,
  [before, after]: readonly [number, number],
  [original, result]: readonly [string, string],
): Bar {
  return {
    label: code(name),
    title: `${name.slice(0, 100)}: ${original} before, ${result} after`,
    value: html`<span class="dim">${original}</span><br />${result}`,
    parts: [
      { share: before, kind: 'before' },
      { share: after, kind: 'after' },
    ],
  }
}

function operatorTable({ op_types: rows }: Report): Markup {
  const share = (value: number | null) =>
    value === null ? '' : value === 0 ? NONE : percent(value, 1)
  return table(
    [
      { label: 'operator' },
      { label: 'nodes', numeric: true },
      { label: 'nodes, result', numeric: true },
      { label: 'weights', numeric: true },
      { label: 'weights, result', numeric: true },
      { label: 'time', numeric: true },
      { label: 'time, result', numeric: true },
    ],
    rows.map(({ op_type: name, original, result }) => ({
      cells: [
        code(name),
        original.count,
        result.count,
        sizeOf(original.bytes),
        sizeOf(result.bytes),
        share(original.time_share),
        share(result.time_share),
      ],
    })),
  )
}

/** How the kernels were timed. */
function profileNote({ evaluation: { profile, latency } }: Report): Markup {
  if (profile === null) return html``
  return html`<p class="note">
    Times are medians over ${plural(profile.result.runs, 'run')} with onnxruntime’s profiler, batch
    ${latency.batch_size}; keeping the profile itself takes time, so their sum is not the latency.
  </p>`
}
