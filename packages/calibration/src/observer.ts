import type { Node } from '@pare/graph'
import type { RuntimeTensor, Tensor } from '@pare/tensor'

import type { StatesByKind, StatisticsKind } from './statistics.js'

/**
 * Turns the values of one tensor, batch by batch, into a small state.
 *
 * An observer works in two places. `reduce` adds nodes to the graph so that onnxruntime does the
 * heavy part where the values already are; only the small outputs of those nodes leave the session.
 * `observe` folds them into the state. An observer that needs every value (a histogram) adds no
 * nodes and names the tensor itself as its output.
 *
 * The law that makes calibration resumable and shardable, checked by a test for each observer:
 * `merge` is associative and commutative, `empty` is its unit, and observing two batches equals
 * merging the states of each, bit for bit.
 */
export interface Observer<Kind extends StatisticsKind = StatisticsKind> {
  readonly kind: Kind
  readonly empty: StatesByKind[Kind]
  readonly reduce: (value: string, name: NameMaker, opset: number) => Reduction
  /** `outputs` are the values of `Reduction.outputs`, in that order. */
  readonly observe: (
    state: StatesByKind[Kind],
    outputs: readonly RuntimeTensor[],
  ) => StatesByKind[Kind]
  /** Whether `outputs` cannot be trusted and the tensor itself has to be looked at. */
  readonly needsValues?: (outputs: readonly RuntimeTensor[]) => boolean
  /** The slow, exact way: the same as `observe`, from all the values of the batch. */
  readonly observeValues?: (state: StatesByKind[Kind], values: RuntimeTensor) => StatesByKind[Kind]
  readonly merge: (a: StatesByKind[Kind], b: StatesByKind[Kind]) => StatesByKind[Kind]
}

export interface Reduction {
  readonly nodes: readonly Node[]
  readonly initializers: ReadonlyMap<string, Tensor>
  /** The first has as many dimensions as the tensor, from which its rank is learned. */
  readonly outputs: readonly string[]
}

/** Gives a name that is not in the graph, e.g. for the suffix `min`. */
export type NameMaker = (suffix: string) => string
