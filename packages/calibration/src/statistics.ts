// What calibration learns: one small JSON value per tensor, tagged with the observer that made it.
// Merging two of them gives exactly what one run over all the data would have given.
export const STATISTICS_VERSION = 1

/** What every kind knows. Both ends are exact float32 values, as onnxruntime computed them. */
export interface MinMaxState {
  /** Least and greatest finite value; absent while nothing finite was seen. */
  readonly range?: Ends
  /** Values left out because they were infinite or not a number. */
  readonly nonFinite: number
}

export interface Ends {
  readonly min: number
  readonly max: number
}

/** The ends of each batch, in order. How fast the average forgets is chosen when it is read. */
export interface MovingAverageState extends MinMaxState {
  /** Least and greatest value per batch: the newest `MOVING_AVERAGE_WINDOW` batches. */
  readonly batches: readonly (readonly [min: number, max: number])[]
}

/**
 * How the values are distributed, on the lattice that the range determines (`lattice.ts`). The range
 * is that of all values; counts may be of an even share of them.
 */
export interface HistogramState extends MinMaxState {
  /** See `count-codec.ts`. */
  readonly counts: string
}

/** One row per kind of observer: `kind` names what each tensor's state is. */
export interface StatesByKind {
  readonly minmax: MinMaxState
  readonly moving_average: MovingAverageState
  readonly histogram: HistogramState
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
