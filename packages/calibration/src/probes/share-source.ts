// Where the counted values come from: every value of the model, or every k-th, as onnxruntime hands
// them out.
import type { Feeds } from '@pare/datasets'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

import { minMaxObserver } from '../min-max-observer.js'
import { addShares, expose, exposeShapes, type SharedValue, SLICE_OPSET } from './instrument.js'
import { int64 } from './int64.js'
import type { Outputs, ProbedBatch, ProbeGraph } from './probe.js'

/** The elements `start`, `start + step`, … before `end` of a value, in row-major order. */
export interface Share {
  readonly point: string
  readonly start: number
  readonly end: number
  readonly step: number
}

export interface SharedTensor {
  readonly dims: readonly number[]
  /** Absent where the value is not float32. Whoever asked for them owns them. */
  readonly values?: Float32Array
  /** What the min-max observer learns of all its elements; absent where nothing reduces. */
  readonly reductions?: readonly RuntimeTensor[]
}

export interface ShareSource {
  /** Whether a share may have a step other than 1. */
  readonly takesSteps: boolean
  /**
   * Shapes of the values with these feeds in place of the batch's, in the order of the points; float32
   * ones only, if known.
   */
  readonly shapes: (
    batch: ProbedBatch,
    feeds: Feeds,
  ) => Promise<ReadonlyMap<string, readonly number[]>>
  readonly take: (
    batch: ProbedBatch,
    shares: readonly Share[],
  ) => Promise<ReadonlyMap<string, SharedTensor>>
  readonly release: () => Promise<void>
}

export function attachShares(graph: ProbeGraph, points: readonly string[]): ShareSource {
  if (graph.emit.opset < SLICE_OPSET) return new WholeSource(graph, points)
  return new SlicingSource(addShares(graph, points, minMaxObserver))
}

/**
 * Takes the shares where the values are, so that the others never leave onnxruntime: handing out all
 * of them costs about 1.5 ns each, most of it for fresh memory, a strided Slice that much per element
 * taken. One session serves all shares.
 */
class SlicingSource implements ShareSource {
  readonly takesSteps = true
  private readonly values: ReadonlyMap<string, SharedValue>

  constructor(values: ReadonlyMap<string, SharedValue>) {
    this.values = values
  }

  async shapes(batch: ProbedBatch, feeds: Feeds): Promise<ReadonlyMap<string, readonly number[]>> {
    const results = await batch.rerun(feeds)
    return new Map(
      [...this.values]
        .filter(([, { slice }]) => results[slice]!.dataType === 'float32')
        .map(([point, { shape }]) => [point, numbersOf(results[shape]!)]),
    )
  }

  async take(
    batch: ProbedBatch,
    shares: readonly Share[],
  ): Promise<ReadonlyMap<string, SharedTensor>> {
    const results = await batch.rerun(this.boundsOf(shares))
    return new Map(
      shares.map(({ point }) => {
        const { slice, shape, reductions } = this.values.get(point)!
        const { data } = results[slice]!
        return [
          point,
          {
            dims: numbersOf(results[shape]!),
            ...(data instanceof Float32Array ? { values: data } : {}),
            reductions: reductions.map((name) => results[name]!),
          },
        ]
      }),
    )
  }

  private boundsOf(shares: readonly Share[]): Feeds {
    const bounds: Record<string, RuntimeTensor> = {}
    for (const share of shares) {
      const { start, end, step } = this.values.get(share.point)!
      bounds[start] = int64(share.start)
      bounds[end] = int64(share.end)
      bounds[step] = int64(share.step)
    }
    return bounds
  }

  release(): Promise<void> {
    return Promise.resolve()
  }
}

/** Below opset 10 Slice has no step: whole values leave the session, from one session per group. */
class WholeSource implements ShareSource {
  readonly takesSteps = false
  private readonly graph: ProbeGraph
  private readonly points: readonly string[]
  private readonly sessions = new Map<string, InferenceSession>()

  constructor(graph: ProbeGraph, points: readonly string[]) {
    this.graph = graph
    this.points = points
  }

  async shapes(batch: ProbedBatch, feeds: Feeds): Promise<ReadonlyMap<string, readonly number[]>> {
    const { model, outputs } = exposeShapes(this.graph.model, this.points)
    const session = await this.graph.open(model)
    try {
      const results = await session.run({ ...batch.feeds, ...feeds })
      return new Map([...outputs].map(([point, name]) => [point, numbersOf(results[name]!)]))
    } finally {
      await session.release()
    }
  }

  async take(
    { feeds }: ProbedBatch,
    shares: readonly Share[],
  ): Promise<ReadonlyMap<string, SharedTensor>> {
    const session = await this.sessionOf(shares.map(({ point }) => point))
    const results: Outputs = await session.run(feeds)
    return new Map(
      shares.map((share) => {
        const { data, dims } = results[share.point]!
        const { point, start, end } = share
        const values = data instanceof Float32Array ? { values: data.subarray(start, end) } : {}
        return [point, { dims, ...values }]
      }),
    )
  }

  private async sessionOf(points: readonly string[]): Promise<InferenceSession> {
    const key = JSON.stringify(points)
    const session =
      this.sessions.get(key) ?? (await this.graph.open(expose(this.graph.model, points)))
    this.sessions.set(key, session)
    return session
  }

  async release(): Promise<void> {
    await Promise.all([...this.sessions.values()].map(async (session) => session.release()))
  }
}

function numbersOf(tensor: RuntimeTensor): readonly number[] {
  return Array.from(tensor.data as BigInt64Array, Number)
}
