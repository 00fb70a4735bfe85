import { errors } from './errors.js'
import { observerOf } from './observers.js'
import {
  type CalibrationStatistics,
  STATISTICS_VERSION,
  type StatisticsKind,
  type TensorStatistics,
} from './statistics.js'

/**
 * The statistics of both parts of the data together, exactly as one run over both would give them.
 * For `moving_average`, whose result depends on the order of the batches, `a` is the earlier part.
 * Throws `calibration_statistics_mismatch` when they were not made by the same observer on the same
 * tensors.
 */
export function mergeStatistics<Kind extends StatisticsKind>(
  a: CalibrationStatistics<Kind>,
  b: CalibrationStatistics<Kind>,
): CalibrationStatistics<Kind> {
  // Statistics read from files may be of any kind, whatever the types of this version say.
  if ((a.kind as string) !== b.kind) {
    throw errors.calibration_statistics_mismatch(`cannot merge ${a.kind} with ${b.kind}`)
  }
  const names = new Set([...Object.keys(a.tensors), ...Object.keys(b.tensors)])
  const tensors = [...names].map((name) => {
    const [x, y] = [a.tensors[name], b.tensors[name]]
    if (x === undefined || y === undefined || x.rank !== y.rank) {
      throw errors.calibration_statistics_mismatch(
        `tensor ${name} was not observed alike in both parts`,
      )
    }
    return [name, mergeTensor(a.kind, x, y)] as const
  })
  return {
    version: STATISTICS_VERSION,
    kind: a.kind,
    samples: a.samples + b.samples,
    tensors: Object.fromEntries(tensors),
  }
}

function mergeTensor<Kind extends StatisticsKind>(
  kind: Kind,
  a: TensorStatistics<Kind>,
  b: TensorStatistics<Kind>,
): TensorStatistics<Kind> {
  return { rank: a.rank, state: observerOf(kind).merge(a.state, b.state) }
}
