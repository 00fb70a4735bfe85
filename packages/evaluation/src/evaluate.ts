// Evaluates a result beside its original on the same data, in fresh sessions, with the options of
// the target: the file that is delivered, as it will be served.
import { type Dataset, type InputBinding, matchDataset } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { cpuFeatures, type InferenceRuntime, type SessionOptions } from '@pare/inference'
import { decodeModel, encodeModel } from '@pare/onnx'
import type { ShapeOf } from '@pare/ops'
import { learnShapes } from '@pare/passes'

import { errors } from './errors.js'
import { judge, type Sessions } from './judge.js'
import {
  type Feeds,
  type LatencyComparison,
  type LatencyOptions,
  measureLatency,
} from './latency/measure-latency.js'
import { matchTensors } from './layers/match-tensors.js'
import { type LayerError, measureLayers } from './layers/measure-layers.js'
import type { MemoryUse } from './memory/memory-probe.js'
import { countMacs, modelFacts } from './model/model-facts.js'
import type { EvaluationResult, MetricName, ModelMeasurements, Ratios } from './result.js'
import { measureSize } from './size.js'
import { choosePrimary, summarizeFidelity, summarizeMetrics } from './summarize.js'

export interface EvaluateOptions {
  readonly runtime: InferenceRuntime
  /** The uploaded model, as ONNX bytes. */
  readonly original: Uint8Array
  /** The model to be delivered. */
  readonly result: Uint8Array
  readonly dataset: Dataset
  readonly metric: MetricName
  /** Output to judge. Default: the first. */
  readonly output?: string
  /** Most samples to judge on. Default: all. */
  readonly samples?: number
  readonly target: EvaluationTarget
  readonly latency?: LatencyOptions
  /** Measures a model's memory in a process of its own; left out, memory is null. */
  readonly measureMemory?: (request: MemoryRequest) => Promise<MemoryUse>
  readonly layers?: LayerOptions
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
  readonly prepared: Uint8Array
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
const DEFAULT_LAYER_SAMPLES = 8

/** What every part of an evaluation needs to know. */
interface Setting {
  readonly options: EvaluateOptions
  readonly models: { readonly original: Model; readonly result: Model }
  readonly inputs: readonly InputBinding[]
  readonly fixedBatchSize: number | null
  readonly output: string
  readonly session: SessionOptions
}

/**
 * Evaluates. Throws the errors of `matchDataset`, `judge` and the runtime, and `output_unknown`.
 * Everything but latency and memory depends on the arguments alone.
 */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationResult> {
  const { runtime, target } = options
  const session: SessionOptions = { intraOpThreads: target.threads, device: target.device }
  const sessions = await openSessions(options, session)
  try {
    const setting = describeSetting(options, sessions, session)
    const batchSize = judgedBatchSize(setting)
    const judgement = await judgeModels(setting, sessions, batchSize)
    const { latency, measured } = await measureModels(setting, sessions)
    const metrics = summarizeMetrics(judgement)
    const fidelity = summarizeFidelity(judgement)
    return {
      primary: choosePrimary(options.metric, setting.output, { metrics, fidelity }),
      metrics,
      fidelity,
      ...measured,
      ratios: ratiosOf(measured.original, measured.result, latency.speedup),
      latency: withoutSummaries(latency, servedBatchSize(setting)),
      layers: await compareLayers(setting),
      samples: judgement.samples,
      batch_size: batchSize,
      environment: {
        runtime: { name: runtime.name, version: runtime.version },
        device: target.device,
        threads: target.threads,
        cpu: cpuFeatures(),
      },
    }
  } finally {
    await sessions.original.release()
    await sessions.result.release()
  }
}

async function openSessions(options: EvaluateOptions, session: SessionOptions): Promise<Sessions> {
  const original = await options.runtime.createSession(options.original, session)
  try {
    return { original, result: await options.runtime.createSession(options.result, session) }
  } catch (error) {
    await original.release()
    throw error
  }
}

function describeSetting(
  options: EvaluateOptions,
  sessions: Sessions,
  session: SessionOptions,
): Setting {
  const { dataset } = options
  const labels = dataset.labels === null ? null : { name: dataset.labels }
  const match = matchDataset({ ...dataset, labels }, sessions.original.inputs)
  return {
    options,
    models: { original: decodeModel(options.original), result: decodeModel(options.result) },
    inputs: match.inputs,
    fixedBatchSize: match.fixedBatchSize,
    output: chooseOutput(sessions, options.output),
    session,
  }
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
function judgedBatchSize(setting: Setting): number {
  const { fixedBatchSize, models } = setting
  if (fixedBatchSize !== null) return fixedBatchSize
  const isDynamic = 'DynamicQuantizeLinear' in modelFacts(models.result).op_types
  return isDynamic ? servedBatchSize(setting) : DEFAULT_BATCH_SIZE
}

function servedBatchSize({ fixedBatchSize, options }: Setting): number {
  return fixedBatchSize ?? options.target.batchSize ?? 1
}

function judgeModels(setting: Setting, sessions: Sessions, batchSize: number) {
  const { options, inputs, fixedBatchSize, output } = setting
  const { dataset, metric, onProgress } = options
  const total = Math.min(dataset.samples, options.samples ?? Infinity)
  return judge(sessions, {
    dataset,
    inputs,
    metric,
    output,
    batchSize,
    isFixedBatch: fixedBatchSize !== null,
    samples: total,
    onSamples: (done) => onProgress?.({ done, total, unit: 'samples', message: 'accuracy' }),
  })
}

/** One batch as it is served: latency, memory, shapes and MACs are measured on it. */
async function servedFeeds(setting: Setting, rows = servedBatchSize(setting)) {
  const { dataset } = setting.options
  const { inputs } = setting
  for await (const batch of dataset.batches({ inputs, batchSize: rows, remainder: 'pad' })) {
    return batch.feeds
  }
  throw errors.evaluation_without_samples('the data set has no sample to run')
}

async function measureModels(setting: Setting, sessions: Sessions) {
  const { options, models } = setting
  report(options, 1, 'latency')
  const feeds = await servedFeeds(setting)
  const latency = await measureLatency(sessions, feeds, options.latency)
  report(options, 2, 'memory and size')
  const measure = async (which: 'original' | 'result'): Promise<ModelMeasurements> => {
    const shapeOf = await shapesOf(models[which], options.runtime, feeds)
    const { macs, nodes_not_counted } = countMacs(models[which], shapeOf, servedBatchSize(setting))
    return {
      size: await measureSize(options[which]),
      ...modelFacts(models[which]),
      macs,
      macs_nodes_not_counted: nodes_not_counted,
      latency: latency[which],
      memory: await memoryOf(setting, which),
    }
  }
  const measured = { original: await measure('original'), result: await measure('result') }
  return { latency, measured }
}

/** Shapes in the model as it stands, hence without optimization. */
async function shapesOf(model: Model, runtime: InferenceRuntime, feeds: Feeds): Promise<ShapeOf> {
  const session: SessionOptions = { optimization: 'none', intraOpThreads: 1, memoryArena: false }
  const open = (opened: Model) => runtime.createSession(encodeModel(opened), session)
  const shapes = await learnShapes(model, open, feeds)
  return (value) => shapes.get(value)?.dims
}

async function memoryOf(setting: Setting, model: 'original' | 'result'): Promise<MemoryUse | null> {
  const { options, inputs, session } = setting
  const batchSize = servedBatchSize(setting)
  return (await options.measureMemory?.({ model, inputs, batchSize, session })) ?? null
}

async function compareLayers(setting: Setting): Promise<readonly LayerError[]> {
  const { options, models, session } = setting
  const { layers, runtime } = options
  if (layers === undefined) return []
  report(options, 3, 'error per layer')
  const prepared = decodeModel(layers.prepared)
  const feeds = await servedFeeds(
    setting,
    setting.fixedBatchSize ??
      Math.min(options.dataset.samples, layers.samples ?? DEFAULT_LAYER_SAMPLES),
  )
  return measureLayers({
    runtime,
    original: prepared,
    result: models.result,
    pairs: matchTensors(prepared, models.result, layers.names),
    shapeOf: await shapesOf(prepared, runtime, feeds),
    batches: [feeds],
    session,
    ...(layers.budgetBytes === undefined ? {} : { budgetBytes: layers.budgetBytes }),
  })
}

const STEPS = 3

function report(options: EvaluateOptions, done: number, message: string): void {
  options.onProgress?.({ done, total: STEPS, unit: 'steps', message })
}

function ratiosOf(original: ModelMeasurements, result: ModelMeasurements, speed: number): Ratios {
  return {
    size: result.size.bytes / original.size.bytes,
    size_gzip: result.size.gzip_bytes / original.size.gzip_bytes,
    speed,
    memory:
      original.memory && result.memory && original.memory.increase_bytes > 0
        ? result.memory.increase_bytes / original.memory.increase_bytes
        : null,
    parameters: original.parameters === 0 ? 1 : result.parameters / original.parameters,
    macs: original.macs === 0 ? null : result.macs / original.macs,
  }
}

function withoutSummaries(
  { speedup, speedup_interval, rounds, runs_per_block }: LatencyComparison,
  batchSize: number,
): EvaluationResult['latency'] {
  return { speedup, speedup_interval, rounds, runs_per_block, batch_size: batchSize }
}
