// One pass over the data. Nothing outlives its batch but the small states, so memory does not
// depend on the number of samples.
import type { Batches } from '@pare/datasets'
import type { Model } from '@pare/graph'

import { compareStatistics, driftOf } from './compare-statistics.js'
import type { Compute } from './compute.js'
import { errors } from './errors.js'
import type { TensorsOf } from './probes/point-statistics.js'
import type { Probe } from './probes/probe.js'
import { runProbes } from './probes/run-probes.js'
import { statisticsProbe } from './probes/statistics-probe.js'
import {
  type CalibrationStatistics,
  STATISTICS_VERSION,
  type StatisticsKind,
} from './statistics.js'

export interface CalibrateOptions<Kind extends StatisticsKind = 'minmax'> extends Compute {
  readonly model: Model
  /** Names of the values to observe, e.g. `observationPoints(model)`. */
  readonly points: readonly string[]
  readonly batches: Batches
  /** What to record; `STATISTICS_OF_METHOD` names it for each method. Default `minmax`. */
  readonly kind?: Kind
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
  readonly signal?: AbortSignal | undefined
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
  const { points, stopBelowDrift = 0, ...rest } = options
  const kind = options.kind ?? ('minmax' as Kind)
  const all = statisticsProbe(kind, points, options)
  const describe = (samples: number, tensors: TensorsOf<Kind>): CalibrationStatistics<Kind> => ({
    ...{ version: STATISTICS_VERSION, kind, samples, tensors },
  })
  const probe = untilSettled(all, describe, stopBelowDrift)
  const { samples, results } = await runProbes({ ...rest, probes: [probe] })
  if (samples > 0) return describe(samples, results[0])
  throw errors.calibration_data_empty('calibration needs at least one sample')
}

/** Samples at which drift is first looked at; then whenever they have doubled. */
const FIRST_CHECK = 64

/** The same probe, which has seen enough when its statistics change little any more. */
function untilSettled<Kind extends StatisticsKind>(
  probe: Probe<TensorsOf<Kind>>,
  describe: (samples: number, tensors: TensorsOf<Kind>) => CalibrationStatistics<Kind>,
  limit: number,
): Probe<TensorsOf<Kind>> {
  if (limit <= 0) return probe
  return {
    attach: (graph) => {
      const inner = probe.attach(graph)
      let samples = 0
      let next = FIRST_CHECK
      let previous: CalibrationStatistics<Kind> | undefined
      return {
        observe: async (batch) => {
          await inner.observe(batch)
          samples += batch.count
        },
        isDone: async () => {
          if (samples < next) return false
          next = samples * 2
          const current = describe(samples, await inner.result())
          const [worst] = previous === undefined ? [] : compareStatistics(previous, current)
          previous = current
          return worst !== undefined && driftOf(worst) <= limit
        },
        result: () => inner.result(),
        release: async () => inner.release?.(),
      }
    },
  }
}
