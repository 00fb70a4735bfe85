// Greatest magnitude of each channel of some activations. onnxruntime reduces, so a batch costs one
// number per channel.
import {
  type Outputs,
  type Probe,
  type ProbedBatch,
  type ProbeGraph,
  runProbes,
} from '@pare/calibration'
import type { Batch } from '@pare/datasets'
import { attr, editGraph, type GraphEditor, type Model } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
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
 * What `channelMaxima` finds in the data: max |x| per channel of each point, float32 [channels]. Throws
 * `quantization_statistics_missing` when there was no batch, and what the runtime throws.
 */
export async function collectChannelMaxima(
  options: ChannelMaximaOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const { model, points, source, signal } = options
  const maxima = new Map(points.map(({ value, channels }) => [value, new Float32Array(channels)]))
  if (points.length === 0) return maxima
  const { samples } = await runProbes({
    ...{ ...source, model, signal },
    batches: worthwhile(options, maxima),
    probes: [channelMaxima(points, maxima)],
  })
  if (samples > 0) return maxima
  throw errors.quantization_statistics_missing('channel maxima need at least one sample')
}

/** The first few samples; the others when `maxima`, of these then, show that they are worth it. */
async function* worthwhile(
  { source, samples, glance }: ChannelMaximaOptions,
  maxima: ReadonlyMap<string, Float32Array>,
): AsyncGenerator<Batch> {
  const first = Math.min(glance?.samples ?? samples, samples)
  yield* source.batches({ samples: first })
  const isDone = first === samples || glance?.isWorthMore(maxima) === false
  if (!isDone) yield* source.batches({ from: first, samples: samples - first })
}

/** Raises `maxima`, by value, batch by batch. Infinite values and NaN are left out. */
export function channelMaxima(
  points: readonly ChannelPoint[],
  maxima: ReadonlyMap<string, Float32Array>,
): Probe<ReadonlyMap<string, Float32Array>> {
  return {
    attach: (graph) => {
      const { editor, opset, show } = graph
      const outputs = points.map((point) =>
        addReductions(editor, point, { opset, isCareful: false }),
      )
      show(outputs.flatMap(({ maxima: name, sum }) => [name, sum]))
      const careful = new CarefulMaxima(graph, points)
      return {
        observe: async (batch) => {
          const quick = await batch.outputs()
          const isFinite = outputs.every(({ sum }) => Number.isFinite(Number(quick[sum]!.data[0])))
          if (isFinite) raise(maxima, outputs, quick)
          else await careful.raise(maxima, batch)
        },
        result: () => maxima,
        release: () => careful.release(),
      }
    },
  }
}

function raise(
  all: ReadonlyMap<string, Float32Array>,
  outputs: readonly PointOutputs[],
  results: Outputs,
): void {
  for (const { value, maxima } of outputs) {
    const [greatest, magnitudes] = [all.get(value)!, results[maxima]!.data as Float32Array]
    for (let i = 0; i < greatest.length; i++) {
      if (magnitudes[i]! > greatest[i]!) greatest[i] = magnitudes[i]!
    }
  }
}

/** Reductions of the finite values alone, which take longer: for batches where some are not. */
class CarefulMaxima {
  private readonly graph: ProbeGraph
  private readonly points: readonly ChannelPoint[]
  private opened:
    { readonly outputs: readonly PointOutputs[]; readonly session: InferenceSession } | undefined

  constructor(graph: ProbeGraph, points: readonly ChannelPoint[]) {
    this.graph = graph
    this.points = points
  }

  async raise(maxima: ReadonlyMap<string, Float32Array>, { feeds }: ProbedBatch): Promise<void> {
    this.opened ??= await this.open()
    const { outputs, session } = this.opened
    raise(maxima, outputs, await session.run(feeds))
  }

  private async open() {
    const { model, opset, open } = this.graph
    const editor = editGraph(model)
    const outputs = this.points.map((point) =>
      addReductions(editor, point, { opset, isCareful: true }),
    )
    editor.setOutputs(outputs.map(({ maxima: name }) => ({ name, metadataProps: [] })))
    return { outputs, session: await open(editor.finish()) }
  }

  async release(): Promise<void> {
    await this.opened?.session.release()
  }
}

interface PointOutputs {
  readonly value: string
  readonly maxima: string
  /** Sum of all magnitudes: not finite as soon as one of them is not. */
  readonly sum: string
}

/** From here on ReduceMax takes its axes as an input. */
const AXES_AS_INPUT = 18
/** TensorProto.FLOAT, the `to` of Cast. */
const FLOAT = 1

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
