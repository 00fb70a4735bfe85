// One pass over the data. Nothing outlives its batch but the small states, so memory does not
// depend on the number of samples.
import type { Model } from '@pare/graph'
import type { InferenceRuntime, InferenceSession } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import type { RuntimeTensor } from '@pare/tensor'

import { errors } from './errors.js'
import { expose, instrument, type InstrumentedModel } from './instrument.js'
import type { Observer } from './observer.js'
import { OBSERVERS } from './observers.js'
import {
  type CalibrationStatistics,
  type StatesByKind,
  STATISTICS_VERSION,
  type StatisticsKind,
} from './statistics.js'

/** The values of one batch by input name; the first dimension counts samples. */
export type Feeds = Readonly<Record<string, RuntimeTensor>>

export interface CalibrateOptions<Kind extends StatisticsKind = 'minmax'> {
  readonly model: Model
  /** Names of the values to observe, e.g. `observationPoints(model)`. */
  readonly points: readonly string[]
  readonly runtime: InferenceRuntime
  readonly batches: AsyncIterable<Feeds> | Iterable<Feeds>
  /** Default `minmax`. */
  readonly kind?: Kind
  /** Default 1. */
  readonly threads?: number
  readonly device?: 'cpu' | 'cuda'
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
  const observer = OBSERVERS[kind] as unknown as Observer<Kind>
  const instrumented = instrument(options.model, options.points, observer)
  const session = await createSession(options, instrumented.model)
  const run = new CalibrationRun(options, observer, instrumented)
  let samples = 0
  try {
    for await (const feeds of options.batches) {
      options.signal?.throwIfAborted()
      await run.observe(session, feeds)
      samples += sampleCount(feeds)
      options.onProgress?.({ samples })
    }
  } finally {
    await session.release()
  }
  if (samples === 0) {
    throw errors.calibration_data_empty('calibration needs at least one sample')
  }
  return { version: STATISTICS_VERSION, kind, samples, tensors: run.tensors() }
}

async function createSession<Kind extends StatisticsKind>(
  options: CalibrateOptions<Kind>,
  model: Model,
): Promise<InferenceSession> {
  return options.runtime.createSession(encodeModel(model), {
    intraOpThreads: options.threads ?? 1,
    ...(options.device === undefined ? {} : { device: options.device }),
  })
}

function sampleCount(feeds: Feeds): number {
  const first = Object.values(feeds)[0]
  return first?.dims[0] ?? 1
}

/** The states so far. */
class CalibrationRun<Kind extends StatisticsKind> {
  private readonly options: CalibrateOptions<Kind>
  private readonly observer: Observer<Kind>
  private readonly instrumented: InstrumentedModel
  private readonly states = new Map<string, { rank: number; state: StatesByKind[Kind] }>()

  constructor(
    options: CalibrateOptions<Kind>,
    observer: Observer<Kind>,
    instrumented: InstrumentedModel,
  ) {
    this.options = options
    this.observer = observer
    this.instrumented = instrumented
  }

  async observe(session: InferenceSession, feeds: Feeds): Promise<void> {
    const results = await session.run(feeds)
    const suspicious: string[] = []
    for (const [point, names] of this.instrumented.outputs) {
      const outputs = names.map((name) => results[name]!)
      if (outputs[0]?.dataType !== 'float32') continue
      const known = this.states.get(point)
      const state = known?.state ?? this.observer.empty
      const rank = outputs[0].dims.length
      if (this.observer.needsValues?.(outputs) === true) {
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
      const session = await createSession(this.options, expose(model, [point]))
      try {
        const known = this.states.get(point)!
        const results = await session.run(feeds)
        const state = this.observer.observeValues?.(known.state, results[point]!) ?? known.state
        this.states.set(point, { ...known, state })
      } finally {
        await session.release()
      }
    }
  }

  tensors(): CalibrationStatistics<Kind>['tensors'] {
    return Object.fromEntries(this.states)
  }
}
