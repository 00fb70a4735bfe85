// For observers whose reductions onnxruntime computes: a few numbers per value and batch come out.
import type { InferenceSession } from '@pare/inference'

import { expose, instrument, type InstrumentedModel } from './instrument.js'
import type { ReducingObserver } from './observer.js'
import type { StatisticsKind, TensorStatistics } from './statistics.js'
import {
  type Feeds,
  type ObservedBatch,
  openSession,
  type States,
  type Watcher,
  type WatchOptions,
} from './watcher.js'

export async function watchReductions<Kind extends StatisticsKind>(
  options: WatchOptions,
  observer: ReducingObserver<Kind>,
): Promise<Watcher<Kind>> {
  const instrumented = instrument(options.model, options.points, observer)
  const session = await openSession(options, instrumented.model)
  return new ReductionWatcher({ options, observer, instrumented, session })
}

class ReductionWatcher<Kind extends StatisticsKind> implements Watcher<Kind> {
  private readonly options: WatchOptions
  private readonly observer: ReducingObserver<Kind>
  private readonly instrumented: InstrumentedModel
  private readonly session: InferenceSession
  private readonly states: States<Kind> = new Map()

  constructor(parts: {
    readonly options: WatchOptions
    readonly observer: ReducingObserver<Kind>
    readonly instrumented: InstrumentedModel
    readonly session: InferenceSession
  }) {
    this.options = parts.options
    this.observer = parts.observer
    this.instrumented = parts.instrumented
    this.session = parts.session
  }

  /** Rows that fill up a batch repeat a sample, which changes no reduction. */
  async observe({ feeds }: ObservedBatch): Promise<void> {
    const results = await this.session.run(feeds)
    const suspicious: string[] = []
    for (const [point, names] of this.instrumented.outputs) {
      const outputs = names.map((name) => results[name]!)
      if (outputs[0]?.dataType !== 'float32') continue
      const known = this.states.get(point)
      const state = known?.state ?? this.observer.empty
      const rank = outputs[0].dims.length
      if (this.observer.needsValues(outputs)) {
        suspicious.push(point)
        this.states.set(point, { rank, state })
      } else this.states.set(point, { rank, state: this.observer.observe(state, outputs) })
    }
    if (suspicious.length > 0) await this.observeValues(suspicious, feeds)
  }

  /** The slow way for batches with infinite values: fetch the tensors, one at a time. */
  private async observeValues(points: readonly string[], feeds: Feeds): Promise<void> {
    const { model } = this.options
    for (const point of points) {
      const session = await openSession(this.options, expose(model, [point]))
      try {
        const known = this.states.get(point)!
        const results = await session.run(feeds)
        const state = this.observer.observeValues(known.state, results[point]!)
        this.states.set(point, { ...known, state })
      } finally {
        await session.release()
      }
    }
  }

  tensors(): Promise<Readonly<Record<string, TensorStatistics<Kind>>>> {
    return Promise.resolve(Object.fromEntries(this.states))
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}
