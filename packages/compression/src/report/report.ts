import type { CoarseHistogram, DataQuality } from '@pare/calibration'
import type { EvaluationResult, FileSize, OpTypeRow, PrimaryMetric } from '@pare/evaluation'
import type { Diagnostic } from '@pare/graph'
import type { LayerSensitivity, TriedCandidate } from '@pare/quantization'
import type { JobRequest, JsonObject, LayerDecision, PlainStep, Recipe } from '@pare/recipe'

export const REPORT_VERSION = 1

/** What a job found and decided, with the measurements that prove it: `report.json`. */
export interface Report {
  readonly version: typeof REPORT_VERSION
  readonly summary: Summary
  /** Every constraint of the job with the value that was measured. */
  readonly constraints: readonly ConstraintCheck[]
  readonly recipe: Recipe
  readonly target: JobRequest['target']
  readonly evaluation: Omit<EvaluationResult, 'op_types'>
  /** Why no metric judges by labels, where nobody asked for that. */
  readonly metric_reason?: string
  /** What the model was like behind each step that was taken. */
  readonly steps: readonly StepRow[]
  /** One row per step and node that it could have changed: what was decided, and why. */
  readonly layers: readonly LayerRow[]
  /** Size and time by type of operator, what costs most first. */
  readonly op_types: readonly OpTypeRow[]
  /** The candidates that the step compared, in their order; absent where it compared none. */
  readonly tried?: readonly TriedRow[]
  /** What each layer costs, worst first; absent where the step did not ask. */
  readonly sensitivity?: readonly SensitivityRow[]
  /** What calibration saw of each value, and the range chosen from it. */
  readonly ranges?: readonly RangeRow[]
  /** What the calibration data is like; absent where nobody looked. */
  readonly data_quality?: DataQuality
  /** What preparation and quantization could not do, by node. */
  readonly diagnostics: readonly Diagnostic[]
  /** All that is needed to repeat the job. */
  readonly reproduce: Reproduce
  /** SHA-256 of every input of this report. */
  readonly lineage: Readonly<Record<string, string>>
  readonly engine_version: string
}

export interface Summary {
  /** One sentence: size, speed and accuracy. */
  readonly headline: string
  /** The same with what a person should know before acting on it. */
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
  readonly code:
    | 'larger'
    | 'slower'
    | 'less_accurate'
    | 'more_memory'
    | 'original_not_finite'
    | 'result_not_finite'
  readonly message: string
}

export interface ConstraintCheck {
  readonly name: 'max_drop'
  readonly limit: number
  readonly measured: number | null
  readonly met: boolean
}

/** A step, and the model behind it beside the original. */
export interface StepRow {
  /** `1-prune_weights`; of a round of a repeat `2/1-prune_weights`. */
  readonly label: string
  readonly type: PlainStep['type']
  readonly parameters: JsonObject
  readonly round?: number
  /** False of a round that broke the constraint: the result was not made from it. */
  readonly kept: boolean
  /** What was lost; null where nobody asked. */
  readonly primary: PrimaryMetric | null
  /** Null of a step inside a round where nothing was measured behind it. */
  readonly size: (FileSize & { readonly ratio: number; readonly gzip_ratio: number }) | null
  readonly sparsity: number | null
  /** Multiply-accumulates of one sample. */
  readonly macs: number | null
  readonly latency: {
    readonly p50_ms: number
    readonly p95_ms: number
    readonly speedup: number
  } | null
}

/** What a step says of a node, and what was measured of it. */
export interface LayerRow extends LayerDecision {
  /** Label of the step. */
  readonly step: string
  /** In words: what its numbers are written in. */
  readonly scheme: string
  /** Calibrated ranges of the layer's input and output, where they are quantized by them. */
  readonly range: { readonly input: Range | null; readonly output: Range | null } | null
  /**
   * Signal to quantization noise at the layer's output, or where its kernel ends, of the whole result
   * up to there; null where there is no difference or nothing to compare with.
   */
  readonly sqnr_db: number | null
  /** Channels of the weight that a processor with 16-bit sums may saturate, of all. */
  readonly saturation_risk: { readonly channels: number; readonly of: number } | null
  /** Operator of onnxruntime that computes it, alone or with others. */
  readonly kernel: string | null
  /**
   * Of the time of all kernels of the result, 0 to 1; null where its work is a part of another layer's
   * kernel, or was not found.
   */
  readonly share_of_time: number | null
  /** Microseconds per run. */
  readonly time_us: { readonly original: number | null; readonly result: number | null }
  /** Whatever else the step knows of it: `weight`, `input`, `outputValue`, `computedIn`, … */
  readonly [more: string]: unknown
}

export interface Range {
  readonly min: number
  readonly max: number
}

/** One candidate of the search, as the quantizer records it. */
export type TriedRow = TriedCandidate

export type SensitivityRow = LayerSensitivity

export interface RangeRow {
  readonly value: string
  /** Layers that read or write it, by node. */
  readonly layers: readonly string[]
  /** Least and greatest finite value seen. */
  readonly observed: Range | null
  /** The range that the integers are spread over; null where the value stays float. */
  readonly chosen: Range | null
  readonly type: string | null
  /** Infinite values and NaN, which are not counted. */
  readonly non_finite: number
  /** Where distributions were recorded. */
  readonly histogram: CoarseHistogram | null
}

/** Everything that the result depends on. */
export interface Reproduce {
  /** The body of a request that does the same, but for the ids of model and datasets. */
  readonly request: JsonObject
  /** SHA-256 of the canonical model and of the datasets, by role. */
  readonly inputs: Readonly<Record<string, string>>
  /** What it gave. */
  readonly outputs: Readonly<Record<string, string>>
  readonly seed: number
  readonly engine_version: string
  readonly runtime: EvaluationResult['environment']['runtime']
  /** Where it was measured: kernels, latency and the last bits of sums depend on it. */
  readonly processor: EvaluationResult['environment']['cpu']
  readonly device: string
  readonly threads: number
}
