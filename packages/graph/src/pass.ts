import type { Model } from './model.js'

/** What a pass could not do, and why, in words the owner of the model can act on. */
export interface Diagnostic {
  readonly severity: 'info' | 'warning'
  /** Stable snake_case reason, e.g. `weight_not_initializer`. */
  readonly code: string
  readonly message: string
  /** Name of the node, or of its first output where the node has none. */
  readonly node?: string
  readonly opType?: string
}

export interface PassResult {
  readonly model: Model
  readonly modified: boolean
  readonly diagnostics: readonly Diagnostic[]
}

/** A pure function of the model. Options are bound by the factory that makes the pass. */
export interface Pass {
  readonly name: string
  readonly run: (model: Model) => PassResult
}

/** A pass that runs the model, or a part of it, on the way. */
export interface AsyncPass {
  readonly name: string
  readonly run: (model: Model) => Promise<PassResult>
}
