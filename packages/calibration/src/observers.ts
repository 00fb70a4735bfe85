import { minMaxObserver } from './min-max-observer.js'
import type { Observer } from './observer.js'
import type { StatisticsKind } from './statistics.js'

/** Every observer by the kind of statistics it makes. A new method is a row here. */
export const OBSERVERS = {
  minmax: minMaxObserver,
} as const satisfies { readonly [Kind in StatisticsKind]: Observer<Kind> }
