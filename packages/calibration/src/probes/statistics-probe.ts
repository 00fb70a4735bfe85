// What calibration records of the values inside a model, as a probe of any kind.
import { observerOf } from '../observers.js'
import type { StatesByKind, StatisticsKind, TensorStatistics } from '../statistics.js'
import type { Probe } from './probe.js'
import { reductionProbe } from './reduction-probe.js'
import { type CountingOptions, valueProbe } from './value-probe.js'

export type TensorsOf<Kind extends StatisticsKind> = Readonly<
  Record<string, TensorStatistics<Kind>>
>

export type States<Kind extends StatisticsKind> = Map<
  string,
  { readonly rank: number; readonly state: StatesByKind[Kind] }
>

/** The statistics of each point so far, whenever its result is asked for. */
export function statisticsProbe<Kind extends StatisticsKind>(
  kind: Kind,
  points: readonly string[],
  options: CountingOptions,
): Probe<TensorsOf<Kind>> {
  const observer = observerOf(kind)
  return observer.looksAt === 'values'
    ? valueProbe(points, observer, options)
    : reductionProbe(points, observer)
}
