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
import { attr, editGraph, type Model } from '@pare/graph'
import type { InferenceSession } from '@pare/inference'
import { type Emitter, emitter } from '@pare/ops'

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
function channelMaxima(
  points: readonly ChannelPoint[],
  maxima: ReadonlyMap<string, Float32Array>,
): Probe<ReadonlyMap<string, Float32Array>> {
  return {
    attach: (graph) => {
      const { emit, show } = graph
      const outputs = points.map((point) => addReductions(emit, point, false))
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
    const { model, open } = this.graph
    const editor = editGraph(model)
    const emit = emitter(editor)
    const outputs = this.points.map((point) => addReductions(emit, point, true))
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

function addReductions(
  emit: Emitter,
  { value, axis, channels }: ChannelPoint,
  isCareful: boolean,
): PointOutputs {
  const float = emit.cast(value, 'float32')
  const magnitudes = isCareful ? finiteMagnitudes(emit, float) : emit.abs(float)
  const [shape, axes] =
    axis === 1
      ? ([
          [0, channels, -1],
          [0, 2],
        ] as const)
      : ([[-1, channels], [0]] as const)
  const maxima = emit.reduceMax(emit.reshape(magnitudes, shape), axes, { keepDims: false })
  return { value, maxima, sum: emit.op('ReduceL1', [float], { keepdims: attr.int(0) }) }
}

/** |x| where it is a number below infinity, else 0. */
function finiteMagnitudes({ abs, less, where }: Emitter, value: string): string {
  const magnitude = abs(value)
  return where(less(magnitude, Infinity), magnitude, 0)
}
