// Channels inside the model that never change: their weights do nothing, and so does the data for them.
import type { Batches } from '@pare/datasets'
import type { Model } from '@pare/graph'

import type { Compute } from '../compute.js'
import { nonNegativeImages } from '../non-negative-images.js'
import type { Probe, ProbeGraph } from '../probes/probe.js'
import { runProbes } from '../probes/run-probes.js'

export interface DeadChannels {
  readonly tensor: string
  readonly dead: number
  readonly of: number
  /** Looked at. */
  readonly samples: number
}

export interface DeadChannelOptions extends Compute {
  readonly model: Model
  readonly points: readonly string[]
  /** Number of dimensions of each point, as calibration learned them. */
  readonly ranks: ReadonlyMap<string, number>
  readonly batches: Batches
}

/** Values fed to the inputs after which no further batch is needed: large images show all in a few. */
export const DEAD_CHANNEL_VALUES = 2 ** 18

/** What `deadChannels` finds in the data; nothing is run where no point has channels. */
export async function findDeadChannels(
  options: DeadChannelOptions,
): Promise<readonly DeadChannels[]> {
  const { ranks } = options
  const points = options.points.filter((point) => (ranks.get(point) ?? 0) > 1)
  if (points.length === 0) return []
  const { results } = await runProbes({ ...options, probes: [deadChannels(points, ranks)] })
  return results[0]
}

/**
 * The channels of each point that have one value in all of the batches; onnxruntime reduces, so little
 * leaves the session. It has seen enough when every channel has moved, or enough values were fed.
 * Channels are axis 1 of convolutions' outputs (four dimensions and more), else the last axis.
 */
function deadChannels(
  points: readonly string[],
  ranks: ReadonlyMap<string, number>,
): Probe<readonly DeadChannels[]> {
  return {
    attach: (graph) => {
      const images = nonNegativeImages(graph.model)
      const shown = points.map((point) =>
        addEnds(graph, { point, rank: ranks.get(point)!, isImage: images.has(point) }),
      )
      const ends = new Map<string, ChannelEnds>()
      let samples = 0
      let fed = 0
      return {
        observe: async (batch) => {
          const results = await batch.outputs()
          samples += batch.count
          fed += Object.values(batch.feeds).reduce((sum, { data }) => sum + data.length, 0)
          for (const { point, min, max } of shown) {
            const [low, high] = [results[min]!.data, results[max]!.data]
            if (!(low instanceof Float32Array && high instanceof Float32Array)) continue
            const known = ends.get(point)
            if (known === undefined) ends.set(point, new ChannelEnds(low, high, images.has(point)))
            else known.widen(low, high)
          }
        },
        isDone: () =>
          fed >= DEAD_CHANNEL_VALUES || ![...ends.values()].some(({ dead }) => dead > 0),
        result: () =>
          [...ends]
            .map(([tensor, { dead, of }]) => ({ tensor, dead, of, samples }))
            .filter(({ dead }) => dead > 0),
      }
    },
  }
}

/** Share of a value by which its mean over a feature map may be off, for its additions. */
const MEAN_TOLERANCE = 1e-5

class ChannelEnds {
  private readonly low: Float32Array
  private readonly high: Float32Array
  private readonly isMean: boolean

  /** With `isMean` the low ends are means of samples: none is below the high end where all values are it. */
  constructor(low: Float32Array, high: Float32Array, isMean: boolean) {
    this.low = low.slice()
    this.high = high.slice()
    this.isMean = isMean
  }

  /** A tensor whose channels differ in number from batch to batch has none that could be dead. */
  widen(low: Float32Array, high: Float32Array): void {
    if (low.length !== this.low.length) this.low.fill(-Infinity)
    for (let i = 0; i < this.low.length; i++) {
      this.low[i] = Math.min(this.low[i]!, low[i]!)
      this.high[i] = Math.max(this.high[i]!, high[i]!)
    }
  }

  get dead(): number {
    return this.low.reduce((sum, low, i) => sum + (this.isDead(low, this.high[i]!) ? 1 : 0), 0)
  }

  get of(): number {
    return this.low.length
  }

  private isDead(low: number, high: number): boolean {
    return this.isMean ? high - low <= MEAN_TOLERANCE * high : low === high
  }
}

interface ChannelPoint {
  readonly point: string
  readonly rank: number
  readonly isImage: boolean
}

interface ShownEnds extends Pick<ChannelPoint, 'point'> {
  readonly min: string
  readonly max: string
}

/** What cannot be negative is pooled first (`nonNegativeImages`), which is faster. */
function addEnds({ emit, show }: ProbeGraph, { point, rank, isImage }: ChannelPoint): ShownEnds {
  const channel = rank > 3 ? 1 : rank - 1
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== channel)
  const [low, high] = isImage
    ? [emit.op('GlobalAveragePool', [point]), emit.op('GlobalMaxPool', [point])]
    : [point, point]
  const min = emit.reduceMin(low, axes, { keepDims: false })
  const max = emit.reduceMax(high, axes, { keepDims: false })
  show([min, max])
  return { point, min, max }
}
