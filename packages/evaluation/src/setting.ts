// What an evaluation is asked for, and what every part of it needs to know.
import {
  type Dataset,
  type DatasetMatch,
  firstBatch,
  type InputBinding,
  matchDataset,
  sampleSource,
} from '@pare/datasets'
import type { Model } from '@pare/graph'
import type { InferenceRuntime, InferenceSession, SessionOptions } from '@pare/inference'
import type { MetricName } from '@pare/recipe'

import { errors } from './errors.js'
import type { Feeds } from './feeds.js'
import type { OutputToJudge, Sessions } from './judge.js'
import type { LatencyOptions } from './latency/measure-latency.js'
import type { MemoryUse } from './memory/memory-probe.js'
import { opTypesOf } from './model/model-facts.js'
import { modelOf, type ModelSource, sizeOf } from './model/model-source.js'
import type { TraceRuns } from './profile/profile-model.js'

export interface EvaluateOptions {
  readonly runtime: InferenceRuntime
  /** The uploaded model. */
  readonly original: ModelSource
  /** The model to be delivered. */
  readonly result: ModelSource
  readonly dataset: Dataset
  readonly metric: MetricName
  /** Output to judge. Default: the first. */
  readonly output?: string
  /** Further outputs to judge and report; constraints do not look at them. */
  readonly also?: readonly OutputToJudge[]
  /** Most samples to judge on. Default: all. */
  readonly samples?: number
  readonly target: EvaluationTarget
  readonly latency?: LatencyOptions
  /** Measures a model's memory in a process of its own; left out, memory is null. */
  readonly measureMemory?: (request: MemoryRequest) => Promise<MemoryUse>
  readonly layers?: LayerOptions
  /**
   * Models with more bytes than this, together, are not in memory at a time: the original is judged
   * with its weights where they lie, and latency is measured of one after the other. Default 1 GiB.
   */
  readonly maxBytesTogether?: number
  /** Runs a model while the runtime keeps a profile; left out, no time is given per layer. */
  readonly trace?: TraceRuns
  readonly onProgress?: (progress: EvaluationProgress) => void
}

export interface EvaluationTarget {
  readonly device: 'cpu' | 'cuda'
  readonly threads: number
  /** Samples per request when served; latency and memory are measured with it. Default 1. */
  readonly batchSize?: number
}

export interface MemoryRequest {
  readonly model: 'original' | 'result'
  readonly inputs: readonly InputBinding[]
  readonly batchSize: number
  readonly session: SessionOptions
}

export interface LayerOptions {
  /** The float model that the result was made from, with the same names of tensors. */
  readonly prepared: ModelSource
  /** Tensor of the float model → tensor of the result, where the names differ. */
  readonly names?: Readonly<Record<string, string>>
  /** Samples to compare on. Default 8. */
  readonly samples?: number
  readonly budgetBytes?: number
}

export interface EvaluationProgress {
  readonly done: number
  readonly total: number
  readonly unit: 'samples' | 'steps'
  readonly message: string
}

const DEFAULT_BATCH_SIZE = 32
const DEFAULT_BYTES_TOGETHER = 1 << 30

/** Whether only one of the models may be in memory. */
export function areLarge({ original, result, maxBytesTogether }: EvaluateOptions): boolean {
  return sizeOf(original) + sizeOf(result) > (maxBytesTogether ?? DEFAULT_BYTES_TOGETHER)
}

/** What every part of an evaluation needs to know. */
export interface Setting {
  readonly options: EvaluateOptions
  readonly models: { readonly original: Model; readonly result: Model }
  readonly inputs: readonly InputBinding[]
  readonly fixedBatchSize: number | null
  /** The outputs to judge, the one that constraints look at first. */
  readonly judged: readonly OutputToJudge[]
  readonly session: SessionOptions
}

export function describeSetting(
  options: EvaluateOptions,
  sessions: Sessions,
  session: SessionOptions,
): Setting {
  const match = bindInputs(options.dataset, sessions.original)
  return {
    options,
    models: { original: modelOf(options.original), result: modelOf(options.result) },
    inputs: match.inputs,
    fixedBatchSize: match.fixedBatchSize,
    judged: [
      { output: chooseOutput(sessions, options.output), metric: options.metric },
      ...(options.also ?? []).map((asked) => ({
        ...asked,
        output: chooseOutput(sessions, asked.output),
      })),
    ],
    session,
  }
}

/** Which array feeds which input of this model, and in which type. */
export function bindInputs(
  dataset: Dataset,
  { inputs }: Pick<InferenceSession, 'inputs'>,
): DatasetMatch {
  const labels = dataset.labels === null ? null : { name: dataset.labels }
  return matchDataset({ ...dataset, labels }, inputs)
}

function chooseOutput({ original }: Sessions, wanted: string | undefined): string {
  const names = original.outputs.map(({ name }) => name)
  const chosen = wanted ?? names[0]
  if (chosen !== undefined && names.includes(chosen)) return chosen
  throw errors.output_unknown(
    `the model has no output "${chosen ?? ''}"; its outputs are ${names.join(', ')}`,
    { details: { output: chosen, outputs: names } },
  )
}

/**
 * Models that take their ranges from the batch they see answer differently in other company: they
 * are judged as they will be served. For all others the size of the batch is only a matter of time.
 */
export function judgedBatchSize(setting: Setting): number {
  const { fixedBatchSize, models } = setting
  if (fixedBatchSize !== null) return fixedBatchSize
  const opTypes = opTypesOf(models.result)
  return RANGES_FROM_BATCH.some((opType) => opType in opTypes)
    ? servedBatchSize(setting)
    : DEFAULT_BATCH_SIZE
}

const RANGES_FROM_BATCH = ['DynamicQuantizeLinear', 'com.microsoft::DynamicQuantizeLSTM'] as const

export function servedBatchSize({ fixedBatchSize, options }: Setting): number {
  return fixedBatchSize ?? options.target.batchSize ?? 1
}

/** One batch as it is served: latency, memory, shapes and MACs are measured on it. */
export async function servedFeeds(
  setting: Setting,
  rows = servedBatchSize(setting),
): Promise<Feeds> {
  const { dataset } = setting.options
  const { inputs } = setting
  const source = sampleSource(dataset, { match: { inputs, fixedBatchSize: rows } })
  const batch = await firstBatch(source, rows)
  if (batch !== undefined) return batch.feeds
  throw errors.evaluation_without_samples('the data set has no sample to run')
}

const STEPS = 3

export function report(options: EvaluateOptions, done: number, message: string): void {
  options.onProgress?.({ done, total: STEPS, unit: 'steps', message })
}
