// What probes of values record, by the name of each.
import type { StatesByKind, StatisticsKind, TensorStatistics } from '../statistics.js'

export type TensorsOf<Kind extends StatisticsKind> = Readonly<
  Record<string, TensorStatistics<Kind>>
>

export type States<Kind extends StatisticsKind> = Map<
  string,
  { readonly rank: number; readonly state: StatesByKind[Kind] }
>
