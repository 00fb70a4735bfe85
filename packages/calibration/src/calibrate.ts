// One pass over the data. Nothing outlives its batch but the small states, so memory does not
// depend on the number of samples.
import type { Model } from '@pare/graph'
import type { InferenceRuntime } from '@pare/inference'

import { compareStatistics, driftOf } from './compare-statistics.js'
import { counted, type CountedBatch } from './counted-batch.js'
import { errors } from './errors.js'
import { observerOf } from './observers.js'
import { watchReductions } from './reduction-watcher.js'
import {
  type CalibrationStatistics,
  STATISTICS_VERSION,
  type StatisticsKind,
} from './statistics.js'
import { watchValues } from './value-watcher.js'
import { type Feeds, rowsOf, type Watcher, type WatchOptions } from './watcher.js'

export interface CalibrateOptions<Kind extends StatisticsKind = 'minmax'> {
  readonly model: Model
  /** Names of the values to observe, e.g. `observationPoints(model)`. */
  readonly points: readonly string[]
  readonly runtime: InferenceRuntime
  readonly batches: AsyncIterable<Feeds | CountedBatch> | Iterable<Feeds | CountedBatch>
  /** What to record; `STATISTICS_OF_METHOD` names it for each method. Default `minmax`. */
  readonly kind?: Kind
  /** Default 1. */
  readonly threads?: number
  readonly device?: 'cpu' | 'cuda'
  /** Bytes of activations that are outside the runtime at a time. Default 128 MiB. */
  readonly maxBytes?: number
  /**
   * Samples of all the data, of which these batches may be a part. Where they hold more than
   * `countedValues` values of a tensor, histograms count every k-th of them; the range is that of all
   * values. Absent: every value is counted.
   */
  readonly samples?: number
  /** Samples of the data before these batches, so that parts merge to what one pass gives. Default 0. */
  readonly samplesBefore?: number
  /** Values per tensor that a histogram is counted from at most, about. Default 2^19. */
  readonly countedValues?: number
  /**
   * Stops before the end of the data when doubling the samples changed no tensor by more than this
   * (`driftOf`: ranges, and distributions for histograms). Default 0: never.
   */
  readonly stopBelowDrift?: number
  /** Called after each batch with the samples seen so far. */
  readonly onProgress?: (progress: { readonly samples: number }) => void
  readonly signal?: AbortSignal
}

/**
 * Runs the model over the data and returns the statistics of each point. The batches may differ in
 * size. Infinite values and NaN are counted and left out, never fatal. A point that is not float32
 * is left out of the result. Throws `calibration_data_empty` when there was no batch, and what the
 * runtime throws.
 */
export async function calibrate<Kind extends StatisticsKind = 'minmax'>(
  options: CalibrateOptions<Kind>,
): Promise<CalibrationStatistics<Kind>> {
  const kind = options.kind ?? ('minmax' as Kind)
  const watcher = await watch(options, kind)
  const snapshot = async (): Promise<CalibrationStatistics<Kind>> => ({
    version: STATISTICS_VERSION,
    kind,
    samples,
    tensors: await watcher.tensors(),
  })
  const hasSettled = settlement(options.stopBelowDrift ?? 0, snapshot)
  let samples = 0
  try {
    for await (const batch of options.batches) {
      options.signal?.throwIfAborted()
      const { feeds, count, rows = rowsOf(feeds) } = counted(batch)
      await watcher.observe({ feeds, count, rows })
      samples += count
      options.onProgress?.({ samples })
      if (await hasSettled(samples)) break
    }
    if (samples > 0) return await snapshot()
  } finally {
    await watcher.release()
  }
  throw errors.calibration_data_empty('calibration needs at least one sample')
}

async function watch<Kind extends StatisticsKind>(
  options: WatchOptions,
  kind: Kind,
): Promise<Watcher<Kind>> {
  const observer = observerOf(kind)
  return observer.looksAt === 'values'
    ? watchValues(options, observer)
    : watchReductions(options, observer)
}

/** Samples at which drift is first looked at; then whenever they have doubled. */
const FIRST_CHECK = 64

function settlement<Kind extends StatisticsKind>(
  limit: number,
  snapshot: () => Promise<CalibrationStatistics<Kind>>,
): (samples: number) => Promise<boolean> {
  let previous: CalibrationStatistics<Kind> | undefined
  let next = FIRST_CHECK
  return async (samples) => {
    if (limit <= 0 || samples < next) return false
    next = samples * 2
    const current = await snapshot()
    const [worst] = previous === undefined ? [] : compareStatistics(previous, current)
    previous = current
    return worst !== undefined && driftOf(worst) <= limit
  }
}
