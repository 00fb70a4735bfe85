// Markdown tables of what was measured.
import { mean } from './statistics.mjs'

/** Everything about one network: a row per scheme. */
export function networkTable({ name, kind, metric, rows, verdict }) {
  const head = [`### ${name}: ${kind}`, '', `| | ${metric} | size | speed | wall | CPU | peak |`]
  const body = rows
    .toSorted(bySide)
    .map(({ label, score, size, speed, made }) =>
      made?.error === undefined
        ? cells(label, percent(score), size.toFixed(3), times(speed), ...production(made))
        : cells(label, `failed: ${made.error.slice(0, 160)}`, '', '', '', '', ''),
    )
  const verdictLines = [
    ...verdict.lines.map((line) => `- ${line}`),
    ...Object.entries(verdict.ratios).map(([label, ratio]) => `- ${ratioLine(label, ratio)}`),
    ...verdict.misses.map((miss) => `- MISS: ${miss}`),
  ]
  return [...head, '|---|---|---|---|---|---|---|', ...body, '', ...verdictLines].join('\n')
}

function production(made) {
  if (made === undefined) return ['', '', '']
  return [seconds(made.wall), seconds(made.cpu), megabytes(made.peak)]
}

function ratioLine(label, { wall, wallWithoutPreprocessing, peak }) {
  return `${label}: peer ${times(wall)} as long (${times(wallWithoutPreprocessing)} without its preprocessing), ${times(peak)} the memory`
}

const COLUMNS = [
  ['Accuracy or fidelity in %', ({ score }) => percent(score)],
  ['Speed, in multiples of the float model’s', ({ speed }) => times(speed)],
  ['Size, in parts of the float model’s', ({ size }) => size.toFixed(3)],
  ['Seconds to make it, whole process', ({ made }) => made && made.wall.toFixed(2)],
  ['Peak memory of that process in MB', ({ made }) => made && (made.peak / 1e6).toFixed(0)],
]

/** One table per figure: a row per scheme, a column per network. */
export function pivotTables(results) {
  if (results.length === 0) return ''
  const rows = results.flatMap((result) => result.rows).toSorted(bySide)
  const labels = [...new Set(rows.map(({ label }) => label))]
  const tables = COLUMNS.map(([title, format]) => {
    const body = labels.map((label) => {
      const values = results.map(({ rows }) => {
        const row = rows.find((candidate) => candidate.label === label)
        if (row === undefined) return ''
        return row.scores === undefined ? 'failed' : (format(row) ?? '')
      })
      return cells(label, ...values)
    })
    const head = cells('', ...results.map(({ name }) => name))
    return [`${title}:`, '', head, cells('---', ...results.map(() => '---')), ...body, ''].join(
      '\n',
    )
  })
  return tables.join('\n')
}

const MEANS = [
  ['geometric mean', (values) => Math.exp(mean(values.map(Math.log)))],
  ['arithmetic mean', mean],
]

/** What became of each aim, over all networks. */
export function summaryLines(results) {
  const kinds = [...new Set(results.flatMap(({ verdict }) => Object.keys(verdict.ratios)))]
  const ratios = kinds.flatMap((label) => {
    const known = results.flatMap(({ verdict }) => verdict.ratios[label] ?? [])
    return MEANS.map(([name, meanOf]) => {
      const average = (key) => meanOf(known.map((ratio) => ratio[key]))
      const overall = Object.fromEntries(Object.keys(known[0]).map((key) => [key, average(key)]))
      return `- over ${known.length} networks, ${name}; ${ratioLine(label, overall)}`
    })
  })
  const misses = results.flatMap(({ name, verdict }) =>
    verdict.misses.map((miss) => `- ${name}: ${miss}`),
  )
  return [...ratios, '', misses.length === 0 ? 'No misses.' : 'Misses:', ...misses].join('\n')
}

const SIDES = ['float', 'ours', 'peer']
const bySide = (a, b) => SIDES.indexOf(a.side) - SIDES.indexOf(b.side)
const cells = (...values) => `| ${values.join(' | ')} |`
const percent = (share) => (100 * share).toFixed(2)
const times = (ratio) => `${ratio.toFixed(2)}x`
const seconds = (value) => `${value.toFixed(2)} s`
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`
