// Where the time of a model goes: which kernel the runtime chose for what, and its share.
import { type Model, type Node, nodeLabel } from '@pare/graph'
import type { InferenceSession, SessionOptions } from '@pare/inference'
import { decodeModel } from '@pare/onnx'

import { type Feeds, feedsFor } from '../feeds.js'
import { coveredNodes, mainNode } from './covered-nodes.js'
import { type TimedKernel, timedKernels } from './kernels.js'
import { opFamily } from './op-family-table.js'
import { servedConstants, weightReaders } from './weight-readers.js'

/**
 * Opens a session that keeps a profile, lets `use` run it, and returns what the runtime wrote. The
 * files are the caller's affair. Null when there was too much of it to read.
 */
export type TraceRuns = (
  model: Uint8Array | { readonly path: string },
  session: SessionOptions,
  use: (session: InferenceSession) => Promise<void>,
) => Promise<Trace | null>

export interface Trace {
  /** The profile, as onnxruntime writes it. */
  readonly events: string
  /** The graph after optimization, where it was read back. */
  readonly optimized: Uint8Array | null
}

/** Where the time went in one model. Plain JSON. */
export interface ModelProfile {
  readonly runs: number
  /** Microseconds of all kernels together, per run. */
  readonly kernels_us: number
  /** In the order in which they run. */
  readonly kernels: readonly KernelProfile[]
}

export interface KernelProfile {
  /** Operator of the runtime: `QLinearConv`, `FusedMatMul`, … */
  readonly kernel: string
  readonly time_us: number
  /** Of the time of all kernels, 0 to 1. */
  readonly share: number
  /**
   * The node that it is known by, of the prepared model where the result is profiled; null for what
   * the runtime or quantization added.
   */
  readonly node: string | null
  /** First outputs of all nodes that it computes, the fused ones too. */
  readonly covers: readonly string[]
}

export interface ProfileRequest {
  /** What a session is made of. */
  readonly source: Uint8Array | { readonly path: string }
  readonly model: Model
  /** The model that it was made from, where nodes are to be named as they are there. */
  readonly prepared?: Model
  readonly session: SessionOptions
  /** One batch as it is served. */
  readonly feeds: Feeds
  readonly trace: TraceRuns
}

const WARM_UP_RUNS = 2
const MAX_RUNS = 24
/** Wanted duration of all runs of a model. */
const BUDGET_MS = 60
/** Of runs that take longer than this, one is enough. */
const SLOW_RUN_MS = 500
/** A trace has one event per kernel and run, of about 700 bytes. */
const MAX_EVENTS = 20_000

/** Profiles a model: up to 24 runs after two to warm up; three where they are long, or one. */
export async function profileModel(request: ProfileRequest): Promise<ModelProfile | null> {
  const { source, model, session, trace } = request
  let runs = 0
  const written = await trace(source, session, async (profiled) => {
    const feeds = feedsFor(profiled, request.feeds)
    const start = performance.now()
    for (let run = 0; run < WARM_UP_RUNS; run++) await profiled.run(feeds)
    const each = (performance.now() - start) / WARM_UP_RUNS
    runs = plannedRuns(each, model.graph.nodes.length)
    for (let run = 0; run < runs; run++) await profiled.run(feeds)
  })
  if (written === null) return null
  const optimized =
    written.optimized === null
      ? null
      : decodeModel(written.optimized, { repeatedInitializers: 'keep_first' })
  const kernels = timedKernels(written.events, optimized, WARM_UP_RUNS)
  return describe(kernels, computedNodes(kernels, request), runs)
}

function plannedRuns(eachMs: number, nodes: number): number {
  const most = Math.min(MAX_RUNS, Math.floor(MAX_EVENTS / Math.max(1, nodes)))
  const least = eachMs > SLOW_RUN_MS ? 1 : 3
  return Math.max(1, Math.min(most, Math.max(least, Math.floor(BUDGET_MS / eachMs))))
}

interface ComputedNodes {
  readonly main: Node | null
  readonly covers: readonly string[]
}

/** What each kernel computes. Quantization keeps the names of values: they lead to the prepared model. */
function computedNodes(
  kernels: readonly TimedKernel[],
  { model, prepared }: ProfileRequest,
): readonly ComputedNodes[] {
  const readers = weightReaders(servedConstants(model))
  const ofFile = coveredNodes(kernels, model.graph, readers)
  const weighted = new Set(
    (prepared === undefined ? readers : weightReaders(servedConstants(prepared))).values(),
  )
  const nodes =
    prepared === undefined
      ? ofFile
      : coveredNodes(
          kernels.map((kernel, at) => ({
            ...kernel,
            outputs: [...kernel.outputs, ...ofFile[at]!.flatMap((node) => node.outputs)],
          })),
          prepared.graph,
          new Map(),
        )
  return nodes.map((computed, at) => ({
    main: mainNode(computed, {
      family: opFamily(kernels[at]!.opType),
      hasWeight: (node) => weighted.has(node),
    }),
    covers: computed.flatMap(({ outputs }) => outputs.slice(0, 1)),
  }))
}

function describe(
  timed: readonly TimedKernel[],
  computed: readonly ComputedNodes[],
  runs: number,
): ModelProfile {
  const total = timed.reduce((sum, { time }) => sum + time, 0)
  const kernels = timed.map(({ opType, time }, at): KernelProfile => {
    const { main, covers } = computed[at]!
    return {
      kernel: opType,
      time_us: time,
      share: total === 0 ? 0 : time / total,
      node: main === null ? null : nodeLabel(main),
      covers,
    }
  })
  return { runs, kernels_us: total, kernels }
}
