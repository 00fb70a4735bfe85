import type { Model } from '@pare/graph'
import type { InferenceRuntime, InferenceSession } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import type { RuntimeTensor } from '@pare/tensor'

import type { StatesByKind, StatisticsKind, TensorStatistics } from './statistics.js'

/** The values of one batch by input name; the first dimension counts samples. */
export type Feeds = Readonly<Record<string, RuntimeTensor>>

/** `count` of the `rows` are samples; the others fill up the batch. */
export interface ObservedBatch {
  readonly feeds: Feeds
  readonly count: number
  readonly rows: number
}

/** Runs the model on one batch after the other and keeps the states. */
export interface Watcher<Kind extends StatisticsKind> {
  readonly observe: (batch: ObservedBatch) => Promise<void>
  readonly tensors: () => Promise<Readonly<Record<string, TensorStatistics<Kind>>>>
  readonly release: () => Promise<void>
}

export interface WatchOptions {
  readonly model: Model
  readonly points: readonly string[]
  readonly runtime: InferenceRuntime
  readonly threads?: number
  readonly device?: 'cpu' | 'cuda'
  readonly maxBytes?: number
  readonly samples?: number
  readonly samplesBefore?: number
  readonly countedValues?: number
}

export type States<Kind extends StatisticsKind> = Map<
  string,
  { readonly rank: number; readonly state: StatesByKind[Kind] }
>

export async function openSession(
  { runtime, threads, device }: WatchOptions,
  model: Model,
): Promise<InferenceSession> {
  return runtime.createSession(encodeModel(model), {
    intraOpThreads: threads ?? 1,
    ...(device === undefined ? {} : { device }),
  })
}

/** Number of rows of a batch. */
export function rowsOf(feeds: Feeds): number {
  const first = Object.values(feeds)[0]
  return first?.dims[0] ?? 1
}
