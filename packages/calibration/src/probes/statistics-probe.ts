// What calibration records of the values inside a model, as a probe of any kind.
import { observerOf } from '../observers.js'
import type { StatisticsKind } from '../statistics.js'
import type { TensorsOf } from './point-statistics.js'
import type { Probe } from './probe.js'
import { reductionProbe } from './reduction-probe.js'
import { type CountingOptions, valueProbe } from './value-probe.js'

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
