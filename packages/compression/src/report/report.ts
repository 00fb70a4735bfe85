import type { EvaluationResult } from '@pare/evaluation'
import type { Diagnostic } from '@pare/graph'

import type { Json, JsonObject } from '../stages/stage.js'

export const REPORT_VERSION = 1

/** What a job found and decided, with the measurements that prove it: `report.json`. */
export interface Report {
  readonly version: typeof REPORT_VERSION
  readonly summary: Summary
  /** Every constraint of the job with the value that was measured. */
  readonly constraints: readonly ConstraintCheck[]
  readonly recipe: Json
  readonly target: Json
  readonly evaluation: EvaluationResult
  /** One row per node that could have been changed: what was decided, and why. */
  readonly layers: readonly JsonObject[]
  /** What preparation and quantization could not do, by node. */
  readonly diagnostics: readonly Diagnostic[]
  /** SHA-256 of every input of this report: together with the recipe they reproduce it. */
  readonly lineage: Readonly<Record<string, string>>
  readonly engine_version: string
}

export interface Summary {
  /** One sentence a person can act on. */
  readonly verdict: string
  /** Accuracy, size, latency, memory, …: original beside result. */
  readonly rows: readonly SummaryRow[]
  /** Ways in which the result is worse than the original; empty is what everybody wants. */
  readonly warnings: readonly SummaryWarning[]
}

export interface SummaryRow {
  readonly label: string
  readonly original: string
  readonly result: string
  readonly change: string
}

export interface SummaryWarning {
  readonly code: 'larger' | 'slower' | 'less_accurate' | 'more_memory'
  readonly message: string
}

export interface ConstraintCheck {
  readonly name: 'max_drop'
  readonly limit: number
  readonly measured: number | null
  readonly met: boolean
}
