import type { Diagnostic } from '@pare/graph'
import type { LayerDecision } from '@pare/recipe'

import type { SensitivityRow, TriedRow } from './report.js'

/** What a step decided for a layer, with what else it knows of it: that is up to the step. */
export interface DecidedLayer extends LayerDecision {
  readonly input?: unknown
  readonly outputValue?: unknown
  readonly weight?: unknown
  /** The type in which the runtime computes it, where that is not the type in which it is stored. */
  readonly computedIn?: unknown
  /** Kernel of the runtime, where the step looked. */
  readonly kernel?: unknown
}

/** What `prepare` and the stages of steps write as `decisions`. */
export interface Decisions {
  readonly layers: readonly DecidedLayer[]
  readonly diagnostics: readonly Diagnostic[]
  readonly tried?: readonly TriedRow[]
  readonly sensitivity?: readonly SensitivityRow[]
}
