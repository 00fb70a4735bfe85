// Channels inside the model that never change: their weights do nothing, and so does the data for them.
import { attr, editGraph, type GraphEditor, type Model, onnxOpset } from '@pare/graph'
import { tensorFromInts } from '@pare/tensor'

import { counted, type CountedBatch } from '../counted-batch.js'
import { nonNegativeImages } from '../non-negative-images.js'
import { type Feeds, openSession, type WatchOptions } from '../watcher.js'

export interface DeadChannels {
  readonly tensor: string
  readonly dead: number
  readonly of: number
  /** Looked at. */
  readonly samples: number
}

export interface DeadChannelOptions extends WatchOptions {
  /** Number of dimensions of each point, as calibration learned them. */
  readonly ranks: ReadonlyMap<string, number>
  readonly batches: AsyncIterable<Feeds | CountedBatch> | Iterable<Feeds | CountedBatch>
}

/** Values fed to the inputs after which no further batch is needed: large images show all in a few. */
export const DEAD_CHANNEL_VALUES = 2 ** 18

/**
 * The channels of each point that have one value in all of the batches; onnxruntime reduces, so little
 * leaves the session. It stops early when every channel has moved, or enough values were fed. Channels
 * are axis 1 of convolutions' outputs (four dimensions and more), else the last axis.
 */
export async function findDeadChannels(
  options: DeadChannelOptions,
): Promise<readonly DeadChannels[]> {
  const points = options.points.filter((point) => (options.ranks.get(point) ?? 0) > 1)
  if (points.length === 0) return []
  const images = nonNegativeImages(options.model)
  const session = await openSession(options, channelEnds(options, points, images))
  const ends = new Map<string, ChannelEnds>()
  let samples = 0
  let fed = 0
  try {
    for await (const batch of options.batches) {
      const { feeds, count } = counted(batch)
      const results = await session.run(feeds)
      samples += count
      fed += Object.values(feeds).reduce((sum, { data }) => sum + data.length, 0)
      for (const [i, point] of points.entries()) {
        const [low, high] = [results[`${MIN}${i}`]!, results[`${MAX}${i}`]!]
        if (!(low.data instanceof Float32Array && high.data instanceof Float32Array)) continue
        const known = ends.get(point)
        if (known === undefined)
          ends.set(point, new ChannelEnds(low.data, high.data, images.has(point)))
        else known.widen(low.data, high.data)
      }
      if (fed >= DEAD_CHANNEL_VALUES || ![...ends.values()].some(({ dead }) => dead > 0)) break
    }
  } finally {
    await session.release()
  }
  return [...ends]
    .map(([tensor, { dead, of }]) => ({ tensor, dead, of, samples }))
    .filter(({ dead }) => dead > 0)
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

const MIN = 'pare_channel_min_'
const MAX = 'pare_channel_max_'
/** From this opset on the axes of ReduceMin and ReduceMax are an input. */
const AXES_INPUT_OPSET = 18

/** What cannot be negative is pooled first (`nonNegativeImages`), which is faster. */
function channelEnds(
  { model, ranks }: Pick<DeadChannelOptions, 'model' | 'ranks'>,
  points: readonly string[],
  images: ReadonlySet<string>,
): Model {
  const editor = editGraph(model)
  const opset = onnxOpset(model)
  for (const [i, point] of points.entries()) {
    const rank = ranks.get(point)!
    const pool = (opType: string) =>
      images.has(point) ? editor.addNode({ opType, inputs: [point] }).outputs[0]! : point
    const channel = rank > 3 ? 1 : rank - 1
    const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => axis !== channel)
    const reduce = reducer(editor, axes, opset >= AXES_INPUT_OPSET)
    reduce('ReduceMin', pool('GlobalAveragePool'), `${MIN}${i}`)
    reduce('ReduceMax', pool('GlobalMaxPool'), `${MAX}${i}`)
  }
  const names = points.flatMap((_, i) => [`${MIN}${i}`, `${MAX}${i}`])
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return editor.finish()
}

function reducer(editor: GraphEditor, axes: readonly number[], asInput: boolean) {
  const extra = asInput
    ? [editor.addInitializer('axes', tensorFromInts('int64', [axes.length], axes))]
    : []
  const attributes = {
    keepdims: attr.int(0),
    ...(asInput ? {} : { axes: attr.ints(axes) }),
  }
  return (opType: string, input: string, output: string) =>
    editor.addNode({ opType, inputs: [input, ...extra], outputs: [output], attributes })
}
