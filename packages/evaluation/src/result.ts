// The document that an evaluation produces: plain JSON, shown as it is.
import type { CpuFeatures } from '@pare/inference'

import type { LatencyComparison, LatencySummary } from './latency/measure-latency.js'
import type { LayerError } from './layers/measure-layers.js'
import type { MemoryUse } from './memory/memory-probe.js'
import type { Fidelity } from './metrics/fidelity.js'
import type { OpTypeRow } from './profile/op-costs.js'
import type { ModelProfile } from './profile/profile-model.js'
import type { FileSize } from './size.js'
import type { Interval } from './statistics.js'

export const METRICS = ['top1', 'top5', 'mse', 'fidelity'] as const
export type MetricName = (typeof METRICS)[number]

export interface EvaluationResult {
  /** What constraints are checked against. */
  readonly primary: PrimaryMetric
  /** Every metric that labels and outputs allow. */
  readonly metrics: {
    readonly top1?: AccuracyComparison
    readonly top5?: AccuracyComparison
    readonly mse?: ErrorComparison
  }
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

export interface PrimaryMetric {
  readonly name: MetricName
  readonly output: string
  /** Of the original: its accuracy or error; 1 for fidelity. */
  readonly original: number
  /** Of the result: its accuracy or error; agreement (cosine where there are no classes) for fidelity. */
  readonly result: number
  /**
   * What was lost: accuracy or agreement as a fraction, growth of the error relative to the
   * original's for mse. Negative is a gain; null is an error that grew from zero.
   */
  readonly drop: number | null
  /** 95 % interval of the drop; null where one sample is no part of the metric, as for cosine. */
  readonly drop_interval: Interval | null
}

export interface AccuracyComparison {
  readonly original: Accuracy
  readonly result: Accuracy
  readonly only_original_right: number
  readonly only_result_right: number
  /** McNemar's exact test: how likely so uneven a split is between equally good models. */
  readonly p_value: number
}

export interface Accuracy {
  readonly value: number
  readonly correct: number
  readonly total: number
  /** Wilson's 95 % interval. */
  readonly interval: Interval
}

export interface ErrorComparison {
  readonly original: number
  readonly result: number
  /** 95 % interval of the mean of result − original over samples; null with fewer than two. */
  readonly interval: Interval | null
  /** Paired t-test: how likely so large a mean difference is between equally good models. */
  readonly p_value: number | null
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
