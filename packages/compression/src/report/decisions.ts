import type { Diagnostic } from '@pare/graph'
import type { JsonObject } from '@pare/recipe'

import type { SensitivityRow, TriedRow } from './report.js'

/** What `prepare` and the stages of steps write as `decisions`. */
export interface Decisions {
  readonly layers: readonly JsonObject[]
  readonly diagnostics: readonly Diagnostic[]
  readonly tried?: readonly TriedRow[]
  readonly sensitivity?: readonly SensitivityRow[]
}
