// For observers that look at values: all of them, or every k-th where the samples are known to hold
// more than is needed of a distribution; the range is that of all values either way. They leave the
// session in groups that fit into a byte budget; a tensor greater than the budget leaves it in
// windows. Sizes are learned from a run on one sample. Where there is much to count, a thread counts
// while onnxruntime runs the next batch.
import { type Feeds, firstRow } from '@pare/datasets'

import { fixedBatchSize } from '../batch-size.js'
import { countInThread } from '../count-in-thread.js'
import { type Counter, countHere, type PointValues } from '../counter.js'
import { minMaxObserver } from '../min-max-observer.js'
import type { CountingObserver } from '../observer.js'
import type { MinMaxState, StatisticsKind } from '../statistics.js'
import { COUNTED_VALUES, phaseOf, strideOf } from '../stride.js'
import type { States, TensorsOf } from './point-statistics.js'
import type { AttachedProbe, Probe, ProbedBatch, ProbeGraph } from './probe.js'
import { attachShares, type Share, type SharedTensor, type ShareSource } from './share-source.js'

/** Default of `maxBytes`: activations of one batch that are outside onnxruntime at a time. */
const MAX_BYTES = 128 * 2 ** 20

export interface CountingOptions {
  readonly maxBytes?: number
  readonly samples?: number
  readonly samplesBefore?: number
  readonly countedValues?: number
}

/** The options are those of `calibrate`. */
export function valueProbe<Kind extends StatisticsKind>(
  points: readonly string[],
  observer: CountingObserver<Kind>,
  options: CountingOptions,
): Probe<TensorsOf<Kind>> {
  return { attach: (graph) => new ValueProbe({ graph, points, observer, options }) }
}

/**
 * A thread takes as long to start as counting some millions of values, and it takes a processor from
 * onnxruntime: it is worth while from so many values on, in all where their number is known.
 */
const THREAD_VALUES = 2 ** 26
const THREAD_VALUES_PER_BATCH = 2 ** 19

/** How a tensor is counted. */
interface Plan {
  readonly point: string
  readonly stride: number
  readonly perSample: number
  /** Counted values of the first batch. */
  readonly size: number
}

interface Sizes {
  readonly shapes: ReadonlyMap<string, readonly number[]>
  readonly rows: number
}

interface Parts<Kind extends StatisticsKind> {
  readonly graph: ProbeGraph
  readonly points: readonly string[]
  readonly observer: CountingObserver<Kind>
  readonly options: CountingOptions
}

class ValueProbe<Kind extends StatisticsKind> implements AttachedProbe<TensorsOf<Kind>> {
  private readonly points: readonly string[]
  private readonly observer: CountingObserver<Kind>
  private readonly options: CountingOptions
  private readonly source: ShareSource
  private readonly takesAnyBatch: boolean
  private readonly maxElements: number
  private readonly ranks = new Map<string, number>()
  private samplesBefore: number
  private counter: Counter<Kind> | undefined
  private groups: readonly (readonly Plan[])[] | undefined

  constructor({ graph, points, observer, options }: Parts<Kind>) {
    this.points = points
    this.observer = observer
    this.options = options
    this.source = attachShares(graph, points)
    this.takesAnyBatch = fixedBatchSize(graph.model) === undefined
    this.samplesBefore = options.samplesBefore ?? 0
    this.maxElements = Math.max(1, Math.floor((options.maxBytes ?? MAX_BYTES) / 4))
  }

  async observe(batch: ProbedBatch): Promise<void> {
    this.groups ??= await this.plan(batch)
    for (const group of this.groups) {
      const [first] = group
      const isTooGreat = first !== undefined && first.size > this.maxElements
      if (isTooGreat) await this.observeWindows(first, batch)
      else await this.observeGroup(group, batch)
    }
    this.samplesBefore += batch.count
  }

  private async observeGroup(group: readonly Plan[], batch: ProbedBatch): Promise<void> {
    await this.counter!.room(4 * sumOfSizes(group))
    const shares = group.map((plan) => this.shareOf(plan))
    const taken = await this.source.take(batch, shares)
    const tensors: PointValues[] = []
    for (const share of shares) {
      const tensor = taken.get(share.point)!
      if (!this.accept(share.point, tensor)) continue
      if (isSuspicious(share, tensor)) await this.observeWhole(share, batch)
      else tensors.push(valuesOf(share, tensor, batch))
    }
    this.counter!.add(tensors)
  }

  private async observeWindows(plan: Plan, batch: ProbedBatch): Promise<void> {
    const { point, stride: step } = plan
    const width = this.maxElements * step
    let limit = Infinity
    for (let { start } = this.shareOf(plan); start < limit; start += width) {
      await this.counter!.room(4 * this.maxElements)
      const share = { point, start, end: start + width, step }
      const tensor = (await this.source.take(batch, [share])).get(point)!
      if (!this.accept(point, tensor)) return
      if (isSuspicious(share, tensor)) return this.observeWhole(this.shareOf(plan), batch)
      limit = elementsOf(tensor.dims, batch)
      this.counter!.add([valuesOf(share, tensor, batch)])
    }
  }

  /** The slow way for infinite values and NaN: all values leave the session, and are told apart here. */
  private async observeWhole(share: Share, batch: ProbedBatch): Promise<void> {
    const { point } = share
    let limit = Infinity
    let next = share.start
    for (let start = 0; start < limit; start += this.maxElements) {
      await this.counter!.room(4 * this.maxElements)
      const window = { point, start, end: start + this.maxElements, step: 1 }
      const tensor = (await this.source.take(batch, [window])).get(point)!
      limit = elementsOf(tensor.dims, batch)
      const values = tensor.values!.subarray(0, limit - start)
      const chosen: number[] = []
      for (; next < start + values.length; next += share.step) {
        const value = values[next - start]!
        if (Number.isFinite(value)) chosen.push(value)
      }
      const known = reduce(values)
      this.counter!.add([{ point, values: Float32Array.from(chosen), known }])
    }
  }

  private accept(point: string, { values, dims }: SharedTensor): boolean {
    if (values === undefined) return false
    if (!this.ranks.has(point)) this.ranks.set(point, dims.length)
    return true
  }

  private shareOf({ point, stride, perSample }: Plan): Share {
    const start = phaseOf(perSample, this.samplesBefore, stride)
    return { point, start, end: Number.MAX_SAFE_INTEGER, step: stride }
  }

  private async plan(batch: ProbedBatch): Promise<readonly (readonly Plan[])[]> {
    const { samples, countedValues = COUNTED_VALUES } = this.options
    const { shapes, rows } = await this.sizes(batch)
    const plans = [...shapes].map(([point, dims]) => {
      const size = dims.reduce((product, dim) => product * dim, 1)
      // What has no row for each sample is one thing with the whole batch.
      const perSample = dims[0] === rows ? size / rows : size
      const total = (size / rows) * (samples ?? 0)
      const stride = this.source.takesSteps ? strideOf(perSample, total / countedValues) : 1
      return { point, stride, perSample, size: Math.ceil(((size / rows) * batch.rows) / stride) }
    })
    this.counter = this.openCounter(sumOfSizes(plans), batch.count)
    return groupBySize(plans, this.maxElements)
  }

  /**
   * Shapes from a run on one sample where the model takes that: a run on the whole batch takes time,
   * and onnxruntime would keep its memory beside that of the runs to come.
   */
  private async sizes(batch: ProbedBatch): Promise<Sizes> {
    const { feeds, rows } = batch
    const of = (some: Feeds) => this.source.shapes(batch, some)
    if (rows > 1 && this.takesAnyBatch) {
      try {
        return { shapes: await of(firstRow(feeds, rows)), rows: 1 }
      } catch {
        // Not every model that leaves the batch open takes every batch.
      }
    }
    return { shapes: await of(feeds), rows }
  }

  private openCounter(valuesPerBatch: number, samplesPerBatch: number): Counter<Kind> {
    const { samples, samplesBefore = 0 } = this.options
    const isMuch =
      samples === undefined
        ? valuesPerBatch >= THREAD_VALUES_PER_BATCH
        : (valuesPerBatch / samplesPerBatch) * (samples - samplesBefore) >= THREAD_VALUES
    if (!isMuch) return countHere(this.observer)
    return countInThread(this.observer.kind, { maxBytes: 4 * this.maxElements })
  }

  async result(): Promise<TensorsOf<Kind>> {
    const states = await this.counter?.states()
    const tensors: States<Kind> = new Map()
    for (const point of this.points) {
      const state = states?.get(point)
      if (state !== undefined) tensors.set(point, { rank: this.ranks.get(point)!, state })
    }
    return Object.fromEntries(tensors)
  }

  async release(): Promise<void> {
    await Promise.all([this.counter?.close(), this.source.release()])
  }
}

/** Whether reductions say that a share of the values cannot do without the others. */
function isSuspicious({ step }: Share, { reductions }: SharedTensor): boolean {
  return step > 1 && reductions !== undefined && minMaxObserver.needsValues(reductions)
}

/** What there is to count; the rows that fill up a batch repeat a sample, which changes no range. */
function valuesOf(share: Share, tensor: SharedTensor, batch: ProbedBatch): PointValues {
  const { point, start, step } = share
  const length = Math.max(0, Math.ceil((elementsOf(tensor.dims, batch) - start) / step))
  const values = tensor.values!.subarray(0, length)
  if (step === 1) return { point, values }
  return { point, values, known: minMaxObserver.observe(minMaxObserver.empty, tensor.reductions!) }
}

function reduce(values: Float32Array): MinMaxState {
  const tensor = { dataType: 'float32', dims: [values.length], data: values } as const
  return minMaxObserver.observeValues(minMaxObserver.empty, tensor)
}

/** `count` of the `rows` of a batch are samples: the elements of a tensor that belong to these. */
function elementsOf(dims: readonly number[], { rows, count }: ProbedBatch): number {
  const size = dims.reduce((product, dim) => product * dim, 1)
  return dims[0] === rows && rows > 0 ? (size / rows) * count : size
}

function sumOfSizes(plans: readonly Plan[]): number {
  return plans.reduce((sum, { size }) => sum + size, 0)
}

/** In order; a tensor beyond the limit is alone. */
function groupBySize(plans: readonly Plan[], limit: number): readonly (readonly Plan[])[] {
  const groups: Plan[][] = []
  let room = 0
  for (const plan of plans) {
    if (plan.size > room || groups.length === 0) {
      groups.push([])
      room = limit
    }
    groups.at(-1)!.push(plan)
    room -= plan.size
  }
  return groups
}
