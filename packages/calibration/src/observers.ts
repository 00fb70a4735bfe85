import { histogramObserver } from './histogram-observer.js'
import { minMaxObserver } from './min-max-observer.js'
import { movingAverageObserver } from './moving-average-observer.js'
import type { Observer } from './observer.js'
import type { StatisticsKind } from './statistics.js'

/** Every observer by the kind of statistics it makes. A new kind is a row here. */
export const OBSERVERS = {
  minmax: minMaxObserver,
  moving_average: movingAverageObserver,
  histogram: histogramObserver,
} as const satisfies { readonly [Kind in StatisticsKind]: Observer<Kind> }

/** The observer, for code that works with any kind. */
export function observerOf<Kind extends StatisticsKind>(kind: Kind): Observer<Kind> {
  return OBSERVERS[kind] as unknown as Observer<Kind>
}
