// What there is to say about the data itself: written beside the statistics, shown in the report.
import type { Diagnostic } from '@pare/graph'

export interface InputSummary {
  readonly name: string
  /** Of the finite values; null when there were none. */
  readonly min: number | null
  readonly max: number | null
  readonly mean: number | null
  readonly std: number | null
  /** Samples whose values for this input an earlier sample had already. */
  readonly duplicates: number
  /** All samples have the same values for this input. */
  readonly constant: boolean
}

export interface DataDiagnostic extends Diagnostic {
  /** The input or the value inside the model that it is about. */
  readonly tensor?: string
  /** How many values, samples or channels. */
  readonly count?: number
}

export interface DataQuality {
  readonly samples: number
  readonly inputs: readonly InputSummary[]
  readonly diagnostics: readonly DataDiagnostic[]
}
