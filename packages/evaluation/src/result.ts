// The document that an evaluation produces: plain JSON, shown as it is.
import type { CpuFeatures } from '@pare/inference'
import type { MetricName } from '@pare/recipe'

import type { LatencyComparison, LatencySummary } from './latency/measure-latency.js'
import type { LayerError } from './layers/measure-layers.js'
import type { MemoryUse } from './memory/memory-probe.js'
import type { Fidelity } from './metrics/fidelity.js'
import type { Finding } from './metrics/metric.js'
import type { OpTypeRow } from './profile/op-costs.js'
import type { ModelProfile } from './profile/profile-model.js'
import type { FileSize } from './size.js'
import type { Interval } from './statistics.js'

export interface EvaluationResult {
  /** What constraints are checked against. */
  readonly primary: PrimaryMetric
  /** That metric and those beside it that compare with labels, of the same output. */
  readonly metrics: Metrics
  /** The other outputs that were to be judged, in the order asked for. */
  readonly also_judged: readonly JudgedOutput[]
  readonly fidelity: FidelityReport
  readonly original: ModelMeasurements
  readonly result: ModelMeasurements
  /** Result divided by original; `speed` is the other way round, so that more is better. */
  readonly ratios: Ratios
  readonly latency: Omit<LatencyComparison, 'original' | 'result'> & { readonly batch_size: number }
  /** Error per tensor of the float model, worst first; empty when it was not asked for. */
  readonly layers: readonly LayerError[]
  /** Kernel by kernel, as the runtime ran them; null where it was not measured. */
  readonly profile: Profiles | null
  /** Size and time by type of operator. */
  readonly op_types: readonly OpTypeRow[]
  readonly samples: number
  readonly batch_size: number
  readonly environment: Environment
}

export interface Profiles {
  readonly original: ModelProfile
  readonly result: ModelProfile
}

export type Metrics = { readonly [Name in MetricName]?: MetricComparison }

export interface JudgedOutput {
  readonly primary: PrimaryMetric
  readonly metrics: Metrics
  /** Array of its labels, where it is not that of the data set. */
  readonly labels?: string
}

export interface PrimaryMetric {
  readonly name: MetricName
  readonly output: string
  /** Of the original: its accuracy or error; 1 for fidelity. */
  readonly original: number
  /** Of the result: its accuracy or error; agreement (cosine where there are no classes) for fidelity. */
  readonly result: number
  /**
   * What was lost: a difference of shares, growth of errors relative to the original's (`dropOf`).
   * Negative is a gain; null is an error that grew from zero.
   */
  readonly drop: number | null
  /** 95 % interval of the drop; null where one sample is no part of the metric, as for cosine. */
  readonly drop_interval: Interval | null
}

/** One metric of both models on the same samples. */
export interface MetricComparison extends Finding {
  readonly drop: number | null
  readonly drop_interval: Interval | null
}

export interface FidelityReport extends Fidelity {
  readonly outputs: Readonly<Record<string, Fidelity>>
}

export interface ModelMeasurements {
  readonly size: FileSize
  readonly parameters: number
  /** Multiply-accumulates of one sample. */
  readonly macs: number
  readonly macs_nodes_not_counted: number
  readonly sparsity: number
  readonly nodes: number
  readonly op_types: Readonly<Record<string, number>>
  readonly latency: LatencySummary
  /** Null where it was not measured. */
  readonly memory: MemoryUse | null
}

export interface Ratios {
  readonly size: number
  readonly size_gzip: number
  readonly speed: number
  readonly memory: number | null
  readonly parameters: number
  readonly macs: number | null
}

export interface Environment {
  readonly runtime: { readonly name: string; readonly version: string }
  readonly device: 'cpu' | 'cuda'
  readonly threads: number
  readonly cpu: CpuFeatures
}
