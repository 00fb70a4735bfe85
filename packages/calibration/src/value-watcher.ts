// For observers that look at every value. The tensors leave the session in groups that fit into a
// byte budget, each from a session that computes no more than the group needs; a tensor greater than
// the budget leaves it in slices. Sizes are learned from the first batch. Where there is much to count,
// a thread counts while onnxruntime runs the next batch.
import { onnxOpset } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

import { countInThread } from './count-in-thread.js'
import { type Counter, countHere } from './counter.js'
import { expose, exposeShapes, exposeSlice, SLICE_OPSET, type SlicedModel } from './instrument.js'
import type { CountingObserver } from './observer.js'
import type { StatisticsKind, TensorStatistics } from './statistics.js'
import {
  type Feeds,
  type ObservedBatch,
  openSession,
  type States,
  type Watcher,
  type WatchOptions,
} from './watcher.js'

/** Default of `maxBytes`: activations of one batch that are outside onnxruntime at a time. */
const MAX_BYTES = 128 * 2 ** 20

export function watchValues<Kind extends StatisticsKind>(
  options: WatchOptions,
  observer: CountingObserver<Kind>,
): Watcher<Kind> {
  return new ValueWatcher(options, observer)
}

/** A thread takes as long to start as counting some millions of values. */
const THREAD_VALUES_PER_BATCH = 2 ** 19

interface Group {
  readonly points: readonly string[]
  /** Of all its values that are outside the session at a time. */
  readonly bytes: number
  /** Of the only point, when it is greater than the budget. */
  readonly sliced?: SlicedModel
  readonly session: InferenceSession
}

class ValueWatcher<Kind extends StatisticsKind> implements Watcher<Kind> {
  private readonly options: WatchOptions
  private readonly observer: CountingObserver<Kind>
  private readonly maxElements: number
  private readonly ranks = new Map<string, number>()
  private counter: Counter<Kind> | undefined
  private groups: Group[] | undefined

  constructor(options: WatchOptions, observer: CountingObserver<Kind>) {
    this.options = options
    this.observer = observer
    this.maxElements = Math.max(1, Math.floor((options.maxBytes ?? MAX_BYTES) / 4))
  }

  async observe(batch: ObservedBatch): Promise<void> {
    this.groups ??= await this.openGroups(batch.feeds)
    for (const group of this.groups) {
      if (group.sliced !== undefined) await this.observeSlices(group, group.sliced, batch)
      else await this.observeGroup(group, batch)
    }
  }

  private async observeGroup(group: Group, batch: Batch): Promise<void> {
    await this.counter!.room(group.bytes)
    const results = await group.session.run(batch.feeds)
    const tensors = group.points.flatMap((point) => {
      const { data, dims } = results[point]!
      if (!(data instanceof Float32Array)) return []
      this.learnRank(point, dims.length)
      return [{ point, values: data.subarray(0, elementsOf(dims, batch)) }]
    })
    this.counter!.add(tensors)
  }

  private async observeSlices(group: Group, names: SlicedModel, batch: Batch): Promise<void> {
    const point = group.points[0]!
    let end = Infinity
    for (let start = 0; start < end; start += this.maxElements) {
      await this.counter!.room(group.bytes)
      const results = await group.session.run({
        ...batch.feeds,
        [names.start]: int64(start),
        [names.end]: int64(start + this.maxElements),
      })
      const { data } = results[names.slice]!
      if (!(data instanceof Float32Array)) return
      const dims = Array.from(results[names.shape]!.data as BigInt64Array, Number)
      end = elementsOf(dims, batch)
      this.learnRank(point, dims.length)
      this.counter!.add([{ point, values: data.subarray(0, end - start) }])
    }
  }

  private learnRank(point: string, rank: number): void {
    if (!this.ranks.has(point)) this.ranks.set(point, rank)
  }

  private async openGroups(feeds: Feeds): Promise<Group[]> {
    const { model, points } = this.options
    const sizes = await this.learnSizes(feeds)
    this.counter = this.openCounter([...sizes.values()].reduce((sum, size) => sum + size, 0))
    const opened: Group[] = []
    this.groups = opened
    for (const group of groupBySize(points, sizes, this.maxElements)) {
      const size = group.reduce((sum, point) => sum + sizes.get(point)!, 0)
      const tooGreat = size > this.maxElements && onnxOpset(model) >= SLICE_OPSET
      const sliced = tooGreat ? exposeSlice(model, group[0]!) : undefined
      const session = await openSession(this.options, sliced?.model ?? expose(model, group))
      const bytes = 4 * (sliced === undefined ? size : this.maxElements)
      opened.push({ points: group, bytes, session, ...(sliced === undefined ? {} : { sliced }) })
    }
    return opened
  }

  private openCounter(valuesPerBatch: number): Counter<Kind> {
    if (valuesPerBatch < THREAD_VALUES_PER_BATCH) return countHere(this.observer)
    return countInThread(this.observer.kind, { maxBytes: 4 * this.maxElements })
  }

  private async learnSizes(feeds: Feeds): Promise<ReadonlyMap<string, number>> {
    const { model, points } = this.options
    const { model: probe, outputs } = exposeShapes(model, points)
    const session = await openSession(this.options, probe)
    try {
      const results = await session.run(feeds)
      const size = (name: string) =>
        Array.from(results[name]!.data as BigInt64Array, Number).reduce((a, b) => a * b, 1)
      return new Map([...outputs].map(([point, name]) => [point, size(name)]))
    } finally {
      await session.release()
    }
  }

  async tensors(): Promise<Readonly<Record<string, TensorStatistics<Kind>>>> {
    const states = await this.counter?.states()
    const tensors: States<Kind> = new Map()
    for (const [point, state] of states ?? []) {
      tensors.set(point, { rank: this.ranks.get(point)!, state })
    }
    return Object.fromEntries(tensors)
  }

  async release(): Promise<void> {
    await Promise.all([
      this.counter?.close(),
      ...(this.groups ?? []).map(async ({ session }) => session.release()),
    ])
  }
}

/** `count` of the `rows` of a batch are samples. */
interface Share {
  readonly count: number
  readonly rows: number
}

interface Batch extends Share {
  readonly feeds: Feeds
}

/** The elements of a tensor that belong to samples. */
function elementsOf(dims: readonly number[], { rows, count }: Share): number {
  const size = dims.reduce((product, dim) => product * dim, 1)
  return dims[0] === rows && rows > 0 ? (size / rows) * count : size
}

function int64(value: number): RuntimeTensor {
  return { dataType: 'int64', dims: [1], data: BigInt64Array.of(BigInt(value)) }
}

/** In order; a point beyond the limit is alone. */
function groupBySize(
  points: readonly string[],
  sizes: ReadonlyMap<string, number>,
  limit: number,
): readonly (readonly string[])[] {
  const groups: string[][] = []
  let room = 0
  for (const point of points) {
    const size = sizes.get(point)!
    if (size > room || groups.length === 0) {
      groups.push([])
      room = limit
    }
    groups.at(-1)!.push(point)
    room -= size
  }
  return groups
}
