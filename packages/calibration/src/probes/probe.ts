// A probe looks at what happens inside a model while it runs over data. It adds reductions to the graph,
// so that onnxruntime does the heavy part where the values already are, takes their small results of each
// batch, and adds them up. Nothing of a batch may outlive it but what the probe makes of it.
import type { Batch, Feeds } from '@pare/datasets'
import type { GraphEditor, Model, Value } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import type { Emitter } from '@pare/ops'
import type { RuntimeTensor } from '@pare/tensor'

/** What a run gives, by the name of the value. */
export type Outputs = Readonly<Record<string, RuntimeTensor>>

export interface Probe<Result> {
  /** Adds what it needs to the graph of a run. A probe that is attached twice is two observers. */
  readonly attach: (graph: ProbeGraph) => AttachedProbe<Result>
}

/** The graph of a run, which several probes may share. */
export interface ProbeGraph {
  /** As it was given, without anything added. */
  readonly model: Model
  readonly editor: GraphEditor
  /** The vocabulary to write reductions with, in the model's opset. */
  readonly emit: Emitter
  /** Has each run give these values: of the model, or added. Other outputs of the model it does not give. */
  readonly show: (values: readonly string[]) => void
  /** Adds an input, which holds `idle` in runs that say nothing of it. */
  readonly addInput: (input: Value, idle: RuntimeTensor) => void
  /** Another model on the same device, for what the graph of the run cannot tell. Release it. */
  readonly open: (model: Model) => Promise<InferenceSession>
}

export interface AttachedProbe<Result> {
  readonly observe: (batch: ProbedBatch) => void | Promise<void>
  /** Whether it has seen enough; asked after each batch. Default: never. */
  readonly isDone?: () => boolean | Promise<boolean>
  readonly result: () => Result | Promise<Result>
  readonly release?: () => Promise<void>
}

export interface ProbedBatch extends Batch {
  /** The one run of the batch that all probes share: what they all show. */
  readonly outputs: () => Promise<Outputs>
  /** A run of its own, with these feeds in place of the batch's or beside them: what this probe shows. */
  readonly rerun: (feeds: Feeds) => Promise<Outputs>
}
