// What calibration learns: one small JSON value per tensor, tagged with the observer that made it.
// Merging two of them gives exactly what one run over all the data would have given.
import { errors } from './errors.js'

export const STATISTICS_VERSION = 1

/** Where a tensor's values lay. Both ends are exact float32 values, as onnxruntime computed them. */
export interface MinMaxState {
  /** Least and greatest finite value; absent while nothing finite was seen. */
  readonly range?: { readonly min: number; readonly max: number }
  /** Values left out because they were infinite or not a number. */
  readonly nonFinite: number
}

/** One row per kind of observer: `kind` names what each tensor's state is. */
export interface StatesByKind {
  readonly minmax: MinMaxState
}

export type StatisticsKind = keyof StatesByKind

export interface TensorStatistics<Kind extends StatisticsKind = StatisticsKind> {
  /** Number of dimensions, learned from the run. */
  readonly rank: number
  readonly state: StatesByKind[Kind]
}

/** Serialise with JSON.stringify; read back with `parseStatistics`. */
export interface CalibrationStatistics<Kind extends StatisticsKind = StatisticsKind> {
  readonly version: typeof STATISTICS_VERSION
  readonly kind: Kind
  readonly samples: number
  /** By value name, in the order of observation. Tensors that are not float32 are absent. */
  readonly tensors: Readonly<Record<string, TensorStatistics<Kind>>>
}

/**
 * Reads statistics written by another process. Throws `calibration_statistics_invalid` for anything
 * that this version did not write.
 */
export function parseStatistics(value: unknown): CalibrationStatistics {
  const record = asRecord(value, 'statistics')
  if (record['version'] !== STATISTICS_VERSION || record['kind'] !== 'minmax') {
    throw errors.calibration_statistics_invalid(
      `expected version ${STATISTICS_VERSION} of kind minmax, got ${String(record['version'])} ${String(record['kind'])}`,
    )
  }
  const tensors = Object.entries(asRecord(record['tensors'], 'tensors')).map(
    ([name, tensor]) => [name, parseTensor(name, tensor)] as const,
  )
  return {
    version: STATISTICS_VERSION,
    kind: 'minmax',
    samples: asCount(record['samples'], 'samples'),
    tensors: Object.fromEntries(tensors),
  }
}

function parseTensor(name: string, value: unknown): TensorStatistics {
  const tensor = asRecord(value, name)
  const state = asRecord(tensor['state'], `${name}.state`)
  const rank = asCount(tensor['rank'], `${name}.rank`)
  const nonFinite = asCount(state['nonFinite'], `${name}.nonFinite`)
  if (state['range'] === undefined) return { rank, state: { nonFinite } }
  const range = asRecord(state['range'], `${name}.range`)
  const min = asFinite(range['min'], `${name}.min`)
  const max = asFinite(range['max'], `${name}.max`)
  if (min > max)
    throw errors.calibration_statistics_invalid(`${name} has a minimum above its maximum`)
  return { rank, state: { range: { min, max }, nonFinite } }
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw errors.calibration_statistics_invalid(`${what} is not an object`)
  }
  return value as Readonly<Record<string, unknown>>
}

function asFinite(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw errors.calibration_statistics_invalid(`${what} is not a finite number`)
  }
  return value
}

function asCount(value: unknown, what: string): number {
  const count = asFinite(value, what)
  if (!Number.isSafeInteger(count) || count < 0) {
    throw errors.calibration_statistics_invalid(`${what} is not a count`)
  }
  return count
}
