// How passes run models: they may not know a runtime, so its session is handed in.
import type { Model } from '@pare/graph'
import type { RuntimeTensor } from '@pare/tensor'

export type Tensors = Readonly<Record<string, RuntimeTensor>>

/** What passes need of a session; `InferenceSession` of @pare/inference is one. */
export interface ModelSession {
  readonly run: (feeds: Tensors, outputs?: readonly string[]) => Promise<Tensors>
  readonly release: () => Promise<void>
}

/**
 * Loads a model to run it: encode, then `createSession`. Throws what the runtime throws. Use the
 * runtime's reference mode (no optimization) where results become constants of the model.
 */
export type OpenModel = (model: Model) => Promise<ModelSession>
