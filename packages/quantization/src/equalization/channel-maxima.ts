// Greatest magnitude of each channel of some activations. onnxruntime reduces, so a batch costs one
// number per channel.
import type { Feeds } from '@pare/calibration'
import { attr, editGraph, type GraphEditor, type Model, onnxOpset } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'

import { errors } from '../errors.js'
import type { DataSource } from '../layers/data-source.js'

/** A value and the axis of its channels: 1 of [N, C, …] or the last of […, C]. */
export interface ChannelPoint {
  readonly value: string
  readonly axis: 1 | -1
  readonly channels: number
}

export interface ChannelMaximaOptions {
  readonly model: Model
  /** `smoothPoints(model)` or `clipPoints(model)`. */
  readonly points: readonly ChannelPoint[]
  readonly source: DataSource
  /** How many samples to look at. */
  readonly samples: number
  /** Looks at the first few, and at the others only where that is worth it. Default: at all. */
  readonly glance?: {
    readonly samples: number
    readonly isWorthMore: (maxima: ReadonlyMap<string, Float32Array>) => boolean
  }
  readonly signal?: AbortSignal
}

/**
 * Runs the float model once over the data: max |x| per channel of each point, float32 [channels].
 * Infinite values and NaN are left out. Throws `quantization_statistics_missing` when there was no
 * batch, and what the runtime throws.
 */
export async function collectChannelMaxima(
  options: ChannelMaximaOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const { model, points, source, samples, glance } = options
  const maxima = new Map(points.map(({ value, channels }) => [value, new Float32Array(channels)]))
  if (points.length === 0) return maxima
  const watcher = new MaximaWatcher(model, points, source)
  let batches = 0
  try {
    const look = async (part: { readonly samples: number; readonly from?: number }) => {
      for await (const feeds of source.batches(part)) {
        options.signal?.throwIfAborted()
        for (const [value, found] of await watcher.reduce(feeds)) raise(maxima.get(value)!, found)
        batches++
      }
    }
    const first = Math.min(glance?.samples ?? samples, samples)
    await look({ samples: first })
    const isDone = first === samples || glance?.isWorthMore(maxima) === false
    if (!isDone) await look({ from: first, samples: samples - first })
  } finally {
    await watcher.release()
  }
  if (batches > 0) return maxima
  throw errors.quantization_statistics_missing('channel maxima need at least one sample')
}

function raise(greatest: Float32Array, magnitudes: Float32Array): void {
  for (let i = 0; i < greatest.length; i++) {
    if (magnitudes[i]! > greatest[i]!) greatest[i] = magnitudes[i]!
  }
}

/** Asks the quick reductions, and the careful ones about batches that are not finite. */
class MaximaWatcher {
  private readonly model: Model
  private readonly points: readonly ChannelPoint[]
  private readonly source: DataSource
  private quick: Promise<Reducer> | undefined
  private careful: Promise<Reducer> | undefined

  constructor(model: Model, points: readonly ChannelPoint[], source: DataSource) {
    this.model = model
    this.points = points
    this.source = source
  }

  async reduce(feeds: Feeds): Promise<ReadonlyMap<string, Float32Array>> {
    this.quick ??= this.open(false)
    const { maxima, isFinite } = await run(await this.quick, feeds)
    if (isFinite) return maxima
    this.careful ??= this.open(true)
    return (await run(await this.careful, feeds)).maxima
  }

  async release(): Promise<void> {
    for (const reducer of [this.quick, this.careful]) {
      if (reducer !== undefined) await (await reducer).session.release()
    }
  }

  private async open(isCareful: boolean): Promise<Reducer> {
    const instrumented = instrument(this.model, this.points, isCareful)
    const session = await this.source.runtime.createSession(encodeModel(instrumented.model), {
      intraOpThreads: this.source.threads,
    })
    return { session, outputs: instrumented.outputs }
  }
}

interface PointOutputs {
  readonly value: string
  readonly maxima: string
  /** Sum of all magnitudes: not finite as soon as one of them is not. */
  readonly sum: string
}

interface Reducer {
  readonly session: InferenceSession
  readonly outputs: readonly PointOutputs[]
}

async function run(
  { session, outputs }: Reducer,
  feeds: Feeds,
): Promise<{ readonly maxima: ReadonlyMap<string, Float32Array>; readonly isFinite: boolean }> {
  const results = await session.run(feeds)
  const maxima = outputs.map(
    ({ value, maxima: name }) => [value, results[name]!.data as Float32Array] as const,
  )
  const isFinite = outputs.every(({ sum }) => Number.isFinite(Number(results[sum]!.data[0])))
  return { maxima: new Map(maxima), isFinite }
}

/** From here on ReduceMax takes its axes as an input. */
const AXES_AS_INPUT = 18
/** TensorProto.FLOAT, the `to` of Cast. */
const FLOAT = 1

function instrument(
  model: Model,
  points: readonly ChannelPoint[],
  isCareful: boolean,
): { readonly model: Model; readonly outputs: readonly PointOutputs[] } {
  const editor = editGraph(model)
  const opset = onnxOpset(model)
  const outputs = points.map((point) => addReductions(editor, point, { opset, isCareful }))
  const names = outputs.flatMap(({ maxima, sum }) => [maxima, sum])
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), outputs }
}

function addReductions(
  editor: GraphEditor,
  { value, axis, channels }: ChannelPoint,
  { opset, isCareful }: { readonly opset: number; readonly isCareful: boolean },
): PointOutputs {
  const add = (opType: string, inputs: readonly string[], attributes = {}) =>
    editor.addNode({ opType, inputs, attributes }).outputs[0]!
  const ints = (hint: string, values: readonly number[]) =>
    editor.addInitializer(hint, tensorFromInts('int64', [values.length], values))
  const float = add('Cast', [value], { to: attr.int(FLOAT) })
  const magnitudes = isCareful ? finiteMagnitudes(editor, float) : add('Abs', [float])
  const [shape, axes] =
    axis === 1
      ? [
          [0, channels, -1],
          [0, 2],
        ]
      : [[-1, channels], [0]]
  const folded = add('Reshape', [magnitudes, ints('shape', shape)])
  const keepdims = attr.int(0)
  const maxima =
    opset >= AXES_AS_INPUT
      ? add('ReduceMax', [folded, ints('axes', axes)], { keepdims })
      : add('ReduceMax', [folded], { keepdims, axes: attr.ints(axes) })
  return { value, maxima, sum: add('ReduceL1', [float], { keepdims }) }
}

/** |x| where it is a number below infinity, else 0. */
function finiteMagnitudes(editor: GraphEditor, value: string): string {
  const add = (opType: string, inputs: readonly string[]) =>
    editor.addNode({ opType, inputs }).outputs[0]!
  const scalar = (x: number) =>
    editor.addInitializer('bound', tensorFromFloat32([], Float32Array.of(x)))
  const magnitude = add('Abs', [value])
  const isFinite = add('Less', [magnitude, scalar(Infinity)])
  return add('Where', [isFinite, magnitude, scalar(0)])
}
