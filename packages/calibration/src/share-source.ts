// Where the counted values come from: every value of the model, or every k-th, as onnxruntime hands
// them out.
import { onnxOpset } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

import { expose, exposeShapes, exposeShares, type SharingModel, SLICE_OPSET } from './instrument.js'
import { minMaxObserver } from './min-max-observer.js'
import { type Feeds, openSession, type WatchOptions } from './watcher.js'

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
  /** Shapes of the values for these feeds, in the order of the points; float32 ones only, if known. */
  readonly shapes: (feeds: Feeds) => Promise<ReadonlyMap<string, readonly number[]>>
  readonly take: (
    feeds: Feeds,
    shares: readonly Share[],
  ) => Promise<ReadonlyMap<string, SharedTensor>>
  readonly release: () => Promise<void>
}

export async function openShareSource(options: WatchOptions): Promise<ShareSource> {
  if (onnxOpset(options.model) < SLICE_OPSET) return new WholeSource(options)
  const sharing = exposeShares(options.model, options.points, minMaxObserver)
  return new SlicingSource(sharing, await openSession(options, sharing.model))
}

/**
 * Takes the shares where the values are, so that the others never leave onnxruntime: handing out all
 * of them costs about 1.5 ns each, most of it for fresh memory, a strided Slice that much per element
 * taken. One session serves all shares.
 */
class SlicingSource implements ShareSource {
  readonly takesSteps = true
  private readonly sharing: SharingModel
  private readonly session: InferenceSession

  constructor(sharing: SharingModel, session: InferenceSession) {
    this.sharing = sharing
    this.session = session
  }

  async shapes(feeds: Feeds): Promise<ReadonlyMap<string, readonly number[]>> {
    const results = await this.run(feeds, [])
    return new Map(
      [...this.sharing.values]
        .filter(([, { slice }]) => results[slice]!.dataType === 'float32')
        .map(([point, { shape }]) => [point, numbersOf(results[shape]!)]),
    )
  }

  async take(feeds: Feeds, shares: readonly Share[]): Promise<ReadonlyMap<string, SharedTensor>> {
    const results = await this.run(feeds, shares)
    return new Map(
      shares.map(({ point }) => {
        const { slice, shape, reductions } = this.sharing.values.get(point)!
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

  private run(feeds: Feeds, shares: readonly Share[]): Promise<Feeds> {
    const bounds: Record<string, RuntimeTensor> = {}
    for (const { start, end, step } of this.sharing.values.values()) {
      Object.assign(bounds, { [start]: ZERO, [end]: ZERO, [step]: ONE })
    }
    for (const share of shares) {
      const { start, end, step } = this.sharing.values.get(share.point)!
      bounds[start] = int64(share.start)
      bounds[end] = int64(share.end)
      bounds[step] = int64(share.step)
    }
    return this.session.run({ ...feeds, ...bounds })
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}

/** Below opset 10 Slice has no step: whole values leave the session, from one session per group. */
class WholeSource implements ShareSource {
  readonly takesSteps = false
  private readonly options: WatchOptions
  private readonly sessions = new Map<string, InferenceSession>()

  constructor(options: WatchOptions) {
    this.options = options
  }

  async shapes(feeds: Feeds): Promise<ReadonlyMap<string, readonly number[]>> {
    const { model, outputs } = exposeShapes(this.options.model, this.options.points)
    const session = await openSession(this.options, model)
    try {
      const results = await session.run(feeds)
      return new Map([...outputs].map(([point, name]) => [point, numbersOf(results[name]!)]))
    } finally {
      await session.release()
    }
  }

  async take(feeds: Feeds, shares: readonly Share[]): Promise<ReadonlyMap<string, SharedTensor>> {
    const session = await this.sessionOf(shares.map(({ point }) => point))
    const results = await session.run(feeds)
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
      this.sessions.get(key) ??
      (await openSession(this.options, expose(this.options.model, points)))
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

function int64(value: number): RuntimeTensor {
  return { dataType: 'int64', dims: [1], data: BigInt64Array.of(BigInt(value)) }
}

const ZERO = int64(0)
const ONE = int64(1)
