// Figures as people read them, with their units.
import type { Interval } from '@pare/evaluation'
import { METRIC_TABLE, type MetricFacts } from '@pare/recipe'

/** A true minus, which stands as wide as a plus. */
const MINUS = '−'

export function percent(fraction: number, digits = 2): string {
  return `${decimal(fraction * 100, digits)} %`
}

function decimal(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits)
  return value < 0 && Number(text) !== 0 ? `${MINUS}${text}` : text
}

export function signed(value: number, digits: number): string {
  const text = decimal(value, digits)
  return value > 0 && Number(text) !== 0 ? `+${text}` : text
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

const BYTE_UNITS = ['kB', 'MB', 'GB'] as const

export function bytes(value: number): string {
  if (value < 1000) return `${count(value)} B`
  let [scaled, unit] = [value / 1000, 0]
  for (; scaled >= 1000 && unit < BYTE_UNITS.length - 1; unit++) scaled /= 1000
  return `${scaled.toFixed(scaled < 100 ? 1 : 0)} ${BYTE_UNITS[unit]!}`
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(3)} ms`
}

export function microseconds(us: number): string {
  return us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(us < 10 ? 1 : 0)} µs`
}

export function decibels(db: number | null): string {
  return db === null ? '–' : `${decimal(db, 1)} dB`
}

/** A number of any size, short: 0.0123, 4.56, 1.2e-7. */
export function short(value: number): string {
  const size = Math.abs(value)
  if (value === 0) return '0'
  const text =
    size >= 1e5 || size < 1e-3 ? size.toExponential(1) : String(Number(size.toPrecision(3)))
  return value < 0 ? `${MINUS}${text}` : text
}

export function interval({ low, high }: Interval, format: (value: number) => string): string {
  return `${format(low)} to ${format(high)}`
}

/** The words of a metric; a name that is none stands for itself. */
export function metricWords(name: string): Pick<MetricFacts, 'label' | 'unit' | 'better' | 'drop'> {
  const rows: Readonly<Record<string, MetricFacts | undefined>> = METRIC_TABLE
  return rows[name] ?? { label: name, unit: '', better: 'higher', drop: 'difference' }
}

/** A figure of a metric: shares in percent, all others as numbers with their unit. */
export function metricValue(metric: string, value: number): string {
  const { unit } = metricWords(metric)
  // What is not finite comes as null out of JSON.
  if (!Number.isFinite(value)) return 'not finite'
  if (unit === 'share') return percent(value)
  return `${value.toPrecision(4)}${unit === '' ? '' : ` ${unit}`}`
}

/** A drop as the change of its metric: points of a share, percent of an error. */
export function metricChange(metric: string, drop: number, digits = 2): string {
  const { better, drop: kind } = metricWords(metric)
  const change = better === 'higher' ? -drop : drop
  return `${signed(change * 100, digits)} ${kind === 'difference' ? 'points' : '%'}`
}

/** `p = 0.03`: two digits, more where that would be 0. */
export function chance(p: number): string {
  if (p < 0.0001) return 'p < 0.0001'
  return `p = ${p.toFixed(p < 0.01 ? 4 : 2)}`
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
