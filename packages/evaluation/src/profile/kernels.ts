// From a trace to kernels: what ran, for how long, and what it wrote.
import { type Model, type Node, walkNodes } from '@pare/graph'

import { median } from '../statistics.js'
import { type KernelEvent, ownTimes, readTrace, surrounding } from './trace.js'

/** One kernel of the runtime's graph. */
export interface TimedKernel {
  readonly name: string
  readonly opType: string
  /** What it reads and writes; empty where the runtime's graph is not known. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Microseconds per run: the median over the runs. */
  readonly time: number
}

/**
 * The kernels of a trace in the order in which they first ran, without the first `warmUpRuns` runs.
 * `optimized` is the runtime's graph.
 */
export function timedKernels(
  trace: string,
  optimized: Model | null,
  warmUpRuns: number,
): readonly TimedKernel[] {
  const runs = readTrace(trace).slice(warmUpRuns)
  const kernels = new Map<string, KernelEvent>()
  const times = runs.map((events) => {
    const keys = keysOf(events)
    events.forEach((event, at) => {
      if (!kernels.has(keys[at]!)) kernels.set(keys[at]!, event)
    })
    return timesByKey(events, keys)
  })
  const nodeOf = nodeFinder(kernels, optimized)
  return [...kernels].map(([key, { name, opType }]) => {
    const { inputs = [], outputs = [] } = nodeOf(key, name) ?? {}
    const time = median(times.map((run) => run.get(key) ?? 0))
    return { name, opType, inputs, outputs, time }
  })
}

/**
 * What tells the kernels of a run apart. Names need not be unique or be there at all; in the main
 * graph the position tells. A body may run many times: its kernels go by their names.
 */
function keysOf(events: readonly KernelEvent[]): readonly string[] {
  let position = 0
  return surrounding(events).map((around, at) => {
    const { name, opType } = events[at]!
    return around === undefined ? `#${position++}` : `${opType} ${name}`
  })
}

/** What a body runs many times is added up. */
function timesByKey(
  events: readonly KernelEvent[],
  keys: readonly string[],
): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  ownTimes(events).forEach((time, at) => {
    const key = keys[at]!
    times.set(key, (times.get(key) ?? 0) + time)
  })
  return times
}

/** onnxruntime runs the nodes of the main graph in the order in which it writes them. */
function nodeFinder(
  kernels: ReadonlyMap<string, KernelEvent>,
  optimized: Model | null,
): (key: string, name: string) => Node | undefined {
  const nodes = optimized?.graph.nodes ?? []
  const isSameOrder = nodes.every(({ opType }, at) => kernels.get(`#${at}`)?.opType === opType)
  const inner = optimized === null ? [] : walkNodes(optimized.graph, { subgraphs: 'visit' })
  const named = new Map([...inner].map((node) => [node.name, node]))
  return (key, name) =>
    isSameOrder && key.startsWith('#') ? nodes[Number(key.slice(1))] : named.get(name)
}
