// Where values are counted: in this thread, or in one of its own beside the runs of the model.
import type { Collector, CountingObserver } from './observer.js'
import type { MinMaxState, StatesByKind, StatisticsKind } from './statistics.js'

/** Values of one point. Whoever counts them owns them: nobody else may read them afterwards. */
export interface PointValues {
  readonly point: string
  readonly values: Float32Array
  /** Where `values` are only a share; see `Collector`. */
  readonly known?: MinMaxState
}

/** Counts the values of many points. Both kinds give the same, bit for bit. */
export interface Counter<Kind extends StatisticsKind> {
  /** Resolves when `bytes` more may leave the session. Throws what made counting fail. */
  readonly room: (bytes: number) => Promise<void>
  readonly add: (tensors: readonly PointValues[]) => void
  /** What was counted so far, by point. */
  readonly states: () => Promise<ReadonlyMap<string, StatesByKind[Kind]>>
  readonly close: () => Promise<void>
}

/** The collectors of many points, in the order in which they came. */
export class Collectors<Kind extends StatisticsKind> {
  private readonly observer: CountingObserver<Kind>
  private readonly byPoint = new Map<string, Collector<Kind>>()

  constructor(observer: CountingObserver<Kind>) {
    this.observer = observer
  }

  add({ point, values, known }: PointValues): void {
    const collector = this.byPoint.get(point) ?? this.observer.collect()
    this.byPoint.set(point, collector)
    collector.add(values, known)
  }

  states(): ReadonlyMap<string, StatesByKind[Kind]> {
    return new Map([...this.byPoint].map(([point, collector]) => [point, collector.state()]))
  }
}

/** Gives the memory of counted values back now: the collector of garbage would let much of it gather. */
export function discard(tensors: readonly PointValues[]): void {
  const transfer = [...new Set(tensors.map(({ values }) => values.buffer as ArrayBuffer))]
  structuredClone(null, { transfer })
}

/** Counts at once, in this thread. */
export function countHere<Kind extends StatisticsKind>(
  observer: CountingObserver<Kind>,
): Counter<Kind> {
  const collectors = new Collectors(observer)
  return {
    room: () => Promise.resolve(),
    add: (tensors) => {
      for (const tensor of tensors) collectors.add(tensor)
      discard(tensors)
    },
    states: () => Promise.resolve(collectors.states()),
    close: () => Promise.resolve(),
  }
}
