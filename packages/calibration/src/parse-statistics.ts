// Reads statistics that another process wrote, trusting nothing in them.
import { decodeCounts } from './count-codec.js'
import { errors } from './errors.js'
import { MOVING_AVERAGE_WINDOW } from './moving-average-observer.js'
import {
  type CalibrationStatistics,
  type Ends,
  type HistogramState,
  type MinMaxState,
  type MovingAverageState,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
  type TensorStatistics,
} from './statistics.js'

type Json = Readonly<Record<string, unknown>>

/**
 * Reads statistics written by another process. Throws `calibration_statistics_invalid` for anything
 * that this version did not write.
 */
export function parseStatistics(value: unknown): CalibrationStatistics {
  const record = asRecord(value, 'statistics')
  const kind = record['kind']
  if (record['version'] !== STATISTICS_VERSION || !isKind(kind)) {
    throw errors.calibration_statistics_invalid(
      `expected version ${STATISTICS_VERSION} of kind ${Object.keys(STATE_PARSERS).join(', ')}; got ${String(record['version'])} ${String(kind)}`,
    )
  }
  const tensors = Object.entries(asRecord(record['tensors'], 'tensors')).map(
    ([name, tensor]) => [name, parseTensor(kind, name, tensor)] as const,
  )
  return {
    version: STATISTICS_VERSION,
    kind,
    samples: asCount(record['samples'], 'samples'),
    tensors: Object.fromEntries(tensors),
  }
}

const STATE_PARSERS: {
  readonly [Kind in StatisticsKind]: (state: Json, name: string) => StatesByKind[Kind]
} = {
  minmax: parseMinMax,
  moving_average: parseMovingAverage,
  histogram: parseHistogram,
}

function isKind(value: unknown): value is StatisticsKind {
  return typeof value === 'string' && Object.hasOwn(STATE_PARSERS, value)
}

function parseTensor(kind: StatisticsKind, name: string, value: unknown): TensorStatistics {
  const tensor = asRecord(value, name)
  const rank = asCount(tensor['rank'], `${name}.rank`)
  return { rank, state: STATE_PARSERS[kind](asRecord(tensor['state'], `${name}.state`), name) }
}

function parseMinMax(state: Json, name: string): MinMaxState {
  const nonFinite = asCount(state['nonFinite'], `${name}.nonFinite`)
  if (state['range'] === undefined) return { nonFinite }
  const range = asRecord(state['range'], `${name}.range`)
  return { range: asEnds(range['min'], range['max'], name), nonFinite }
}

function parseMovingAverage(state: Json, name: string): MovingAverageState {
  const batches = state['batches']
  if (!Array.isArray(batches) || batches.length > MOVING_AVERAGE_WINDOW) {
    throw errors.calibration_statistics_invalid(`${name}.batches is not a list of batches`)
  }
  return {
    ...parseMinMax(state, name),
    batches: batches.map((batch: unknown) => {
      const [min, max] = Array.isArray(batch) ? (batch as readonly unknown[]) : []
      const ends = asEnds(min, max, `${name}.batches`)
      return [ends.min, ends.max] as const
    }),
  }
}

function parseHistogram(state: Json, name: string): HistogramState {
  const { counts } = state
  if (typeof counts !== 'string') {
    throw errors.calibration_statistics_invalid(`${name}.counts is not a text`)
  }
  const common = parseMinMax(state, name)
  // A range without counts is no mistake: not every value is counted.
  if (decodeCounts(counts).some((n) => n > 0) && common.range === undefined) {
    throw errors.calibration_statistics_invalid(`${name} has counts without a range`)
  }
  return { ...common, counts }
}

function asEnds(min: unknown, max: unknown, name: string): Ends {
  const ends = { min: asFinite(min, `${name}.min`), max: asFinite(max, `${name}.max`) }
  if (ends.min > ends.max) {
    throw errors.calibration_statistics_invalid(`${name} has a minimum above its maximum`)
  }
  return ends
}

function asRecord(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw errors.calibration_statistics_invalid(`${what} is not an object`)
  }
  return value as Json
}

/** Every value was a float32, so nothing greater can have been written. */
const GREATEST = 2 ** 128

function asFinite(value: unknown, what: string): number {
  if (typeof value !== 'number' || !(Math.abs(value) < GREATEST)) {
    throw errors.calibration_statistics_invalid(`${what} is not a finite number`)
  }
  return value
}

function asCount(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw errors.calibration_statistics_invalid(`${what} is not a count`)
  }
  return value
}
