// For observers that look at every value. The tensors leave the session in groups that fit into a
// byte budget, each from a session that computes no more than the group needs; a tensor greater than
// the budget leaves it in slices. Sizes are learned from the first batch.
import { onnxOpset } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

import { expose, exposeShapes, exposeSlice, SLICE_OPSET, type SlicedModel } from './instrument.js'
import type { Collector, CountingObserver } from './observer.js'
import type { StatisticsKind, TensorStatistics } from './statistics.js'
import {
  type Feeds,
  openSession,
  rowsOf,
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

interface Group {
  readonly points: readonly string[]
  /** Of the only point, when it is greater than the budget. */
  readonly sliced?: SlicedModel
  readonly session: InferenceSession
}

class ValueWatcher<Kind extends StatisticsKind> implements Watcher<Kind> {
  private readonly options: WatchOptions
  private readonly observer: CountingObserver<Kind>
  private readonly maxElements: number
  private readonly collectors = new Map<string, { rank: number; collector: Collector<Kind> }>()
  private groups: Group[] | undefined

  constructor(options: WatchOptions, observer: CountingObserver<Kind>) {
    this.options = options
    this.observer = observer
    this.maxElements = Math.max(1, Math.floor((options.maxBytes ?? MAX_BYTES) / 4))
  }

  async observe(feeds: Feeds, count: number): Promise<void> {
    this.groups ??= await this.openGroups(feeds)
    const rows = rowsOf(feeds)
    for (const group of this.groups) {
      if (group.sliced !== undefined) {
        await this.observeSlices(group, group.sliced, { feeds, count, rows })
        continue
      }
      const results = await group.session.run(feeds)
      for (const point of group.points) this.collect(point, results[point]!, { count, rows })
    }
  }

  private collect(point: string, tensor: RuntimeTensor, share: Share): void {
    const { data, dims } = tensor
    if (!(data instanceof Float32Array)) return
    this.collector(point, dims.length).add(data.subarray(0, elementsOf(dims, share)))
  }

  private collector(point: string, rank: number): Collector<Kind> {
    const known = this.collectors.get(point) ?? { rank, collector: this.observer.collect() }
    this.collectors.set(point, known)
    return known.collector
  }

  private async observeSlices(group: Group, names: SlicedModel, batch: SlicedBatch): Promise<void> {
    let end = Infinity
    for (let start = 0; start < end; start += this.maxElements) {
      const results = await group.session.run({
        ...batch.feeds,
        [names.start]: int64(start),
        [names.end]: int64(start + this.maxElements),
      })
      const { data } = results[names.slice]!
      if (!(data instanceof Float32Array)) return
      const dims = Array.from(results[names.shape]!.data as BigInt64Array, Number)
      end = elementsOf(dims, batch)
      this.collector(group.points[0]!, dims.length).add(data.subarray(0, end - start))
    }
  }

  private async openGroups(feeds: Feeds): Promise<Group[]> {
    const { model, points } = this.options
    const sizes = await this.learnSizes(feeds)
    const opened: Group[] = []
    this.groups = opened
    for (const group of groupBySize(points, sizes, this.maxElements)) {
      const tooGreat = sizes.get(group[0]!)! > this.maxElements && onnxOpset(model) >= SLICE_OPSET
      const sliced = tooGreat ? exposeSlice(model, group[0]!) : undefined
      const session = await openSession(this.options, sliced?.model ?? expose(model, group))
      opened.push({ points: group, session, ...(sliced === undefined ? {} : { sliced }) })
    }
    return opened
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

  tensors(): Readonly<Record<string, TensorStatistics<Kind>>> {
    const states: States<Kind> = new Map()
    for (const [point, { rank, collector }] of this.collectors) {
      states.set(point, { rank, state: collector.state() })
    }
    return Object.fromEntries(states)
  }

  async release(): Promise<void> {
    await Promise.all((this.groups ?? []).map(async ({ session }) => session.release()))
  }
}

/** `count` of the `rows` of a batch are samples. */
interface Share {
  readonly count: number
  readonly rows: number
}

interface SlicedBatch extends Share {
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
