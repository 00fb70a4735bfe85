// Measures both models beside each other: latency, size, work, memory, and the error per layer.
import type { Model } from '@pare/graph'
import type { InferenceRuntime, SessionOptions } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import type { ShapeOf } from '@pare/ops'
import { learnShapes } from '@pare/passes'

import { type Feeds, feedsFor } from './feeds.js'
import type { Sessions } from './judge.js'
import {
  type LatencyComparison,
  measureLatency,
  measureLatencyApart,
} from './latency/measure-latency.js'
import { matchTensors } from './layers/match-tensors.js'
import { type LayerError, measureLayers } from './layers/measure-layers.js'
import type { MemoryUse } from './memory/memory-probe.js'
import { countMacs, modelFacts } from './model/model-facts.js'
import { modelOf, type ModelSource, sessionSource } from './model/model-source.js'
import type { ModelMeasurements } from './result.js'
import { bindInputs, report, servedBatchSize, servedFeeds, type Setting } from './setting.js'
import { measureSize } from './size.js'

const DEFAULT_LAYER_SAMPLES = 8

export interface MeasuredModels {
  readonly original: ModelMeasurements
  readonly result: ModelMeasurements
}

export async function compareLatency(
  setting: Setting,
  sessions: Sessions,
): Promise<LatencyComparison> {
  report(setting.options, 1, 'latency')
  return measureLatency(sessions, await servedFeeds(setting), setting.options.latency)
}

/** Of models that are not to be in memory together. */
export async function compareLatencyApart(setting: Setting): Promise<LatencyComparison> {
  const { options, session } = setting
  report(options, 1, 'latency')
  const open = (source: ModelSource) => () =>
    options.runtime.createSession(sessionSource(source), session)
  return measureLatencyApart(
    { original: open(options.original), result: open(options.result) },
    await servedFeeds(setting),
    options.latency,
  )
}

/** Of the sessions only the description is used: released, they do not add to memory. */
export async function measureModels(
  setting: Setting,
  sessions: Sessions,
  latency: LatencyComparison,
): Promise<MeasuredModels> {
  const { options } = setting
  const feeds = await servedFeeds(setting)
  report(options, 2, 'memory and size')
  const measure = async (which: 'original' | 'result'): Promise<ModelMeasurements> => ({
    ...(await costsOf(setting, which, feedsFor(sessions[which], feeds))),
    latency: latency[which],
    memory: await memoryOf(setting, which, sessions),
  })
  return { original: await measure('original'), result: await measure('result') }
}

export type ModelCosts = Omit<ModelMeasurements, 'latency' | 'memory'>

/** What can be said of a model without timing it. */
export async function costsOf(
  setting: Setting,
  which: 'original' | 'result',
  feeds: Feeds,
): Promise<ModelCosts> {
  const { options, models } = setting
  const shapeOf = await shapesOf(models[which], options.runtime, feeds)
  const { macs, nodes_not_counted } = countMacs(models[which], shapeOf, servedBatchSize(setting))
  return {
    size: await measureSize(options[which]),
    ...modelFacts(models[which]),
    macs,
    macs_nodes_not_counted: nodes_not_counted,
  }
}

/** Shapes in the model as it stands, hence without optimization. */
async function shapesOf(model: Model, runtime: InferenceRuntime, feeds: Feeds): Promise<ShapeOf> {
  const session: SessionOptions = {
    ...{ optimization: 'none', intraOpThreads: 1, memoryArena: false },
    // It runs once: packing the weights would take longer, and as much memory again.
    config: { 'session.disable_prepacking': '1' },
  }
  const open = (opened: Model) => runtime.createSession(encodeModel(opened), session)
  const shapes = await learnShapes(model, open, feeds)
  return (value) => shapes.get(value)?.dims
}

async function memoryOf(
  setting: Setting,
  model: 'original' | 'result',
  sessions: Sessions,
): Promise<MemoryUse | null> {
  const { options, session } = setting
  const { inputs } = bindInputs(options.dataset, sessions[model])
  const batchSize = servedBatchSize(setting)
  return (await options.measureMemory?.({ model, inputs, batchSize, session })) ?? null
}

export async function compareLayers(setting: Setting): Promise<readonly LayerError[]> {
  const { options, models, session } = setting
  const { layers, runtime } = options
  if (layers === undefined) return []
  report(options, 3, 'error per layer')
  const prepared = modelOf(layers.prepared)
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
