import type { NodeSpec } from '@pare/graph'
import type { RuntimeTensor } from '@pare/tensor'

import type { MinMaxState, StatesByKind, StatisticsKind } from './statistics.js'

/**
 * Turns the values of one tensor, batch by batch, into a small state.
 *
 * The law that makes calibration resumable and shardable, checked by a test for each observer:
 * `merge` is associative, `empty` is its unit, and observing two batches equals merging the states
 * of each, bit for bit. It is commutative too, unless the observer is `ordered`: then the first
 * argument is the earlier part of the data.
 */
export type Observer<Kind extends StatisticsKind = StatisticsKind> =
  ReducingObserver<Kind> | CountingObserver<Kind>

interface ObserverBase<Kind extends StatisticsKind> {
  readonly kind: Kind
  readonly ordered: boolean
  readonly empty: StatesByKind[Kind]
  readonly merge: (a: StatesByKind[Kind], b: StatesByKind[Kind]) => StatesByKind[Kind]
}

/**
 * Works in two places. `reduce` adds nodes to the graph so that onnxruntime does the heavy part where
 * the values already are; only the small outputs of those nodes leave the session. `observe` folds
 * them into the state.
 */
export interface ReducingObserver<
  Kind extends StatisticsKind = StatisticsKind,
> extends ObserverBase<Kind> {
  readonly looksAt: 'reductions'
  readonly reduce: (value: ReducedValue, name: NameMaker) => Reduction
  /** `outputs` are the values of `Reduction.outputs`, in that order. */
  readonly observe: (
    state: StatesByKind[Kind],
    outputs: readonly RuntimeTensor[],
  ) => StatesByKind[Kind]
  /** Whether `outputs` cannot be trusted and the tensor itself has to be looked at. */
  readonly needsValues: (outputs: readonly RuntimeTensor[]) => boolean
  /** The slow, exact way: the same as `observe`, from all the values of the batch. */
  readonly observeValues: (state: StatesByKind[Kind], values: RuntimeTensor) => StatesByKind[Kind]
}

/** Looks at values: they leave the session, as many at a time as the memory allows. */
export interface CountingObserver<
  Kind extends StatisticsKind = StatisticsKind,
> extends ObserverBase<Kind> {
  readonly looksAt: 'values'
  readonly collect: () => Collector<Kind>
}

/** A state while it grows. */
export interface Collector<Kind extends StatisticsKind = StatisticsKind> {
  /**
   * `values` are all values of a batch, or a share of the finite ones: then `known` says what range
   * all finite ones have, and how many are not finite.
   */
  readonly add: (values: Float32Array, known?: MinMaxState) => void
  readonly state: () => StatesByKind[Kind]
}

export interface ReducedValue {
  readonly value: string
  /** Of `nonNegativeImages`. */
  readonly isNonNegativeImage: boolean
}

export interface Reduction {
  readonly nodes: readonly NodeSpec[]
  /** The first has as many dimensions as the tensor, from which its rank is learned. */
  readonly outputs: readonly string[]
}

/** Gives a name that is not in the graph, e.g. for the suffix `min`. */
export type NameMaker = (suffix: string) => string
