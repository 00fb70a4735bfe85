// One pass over the data for all layers: XᵀX of every layer's input is computed inside the session,
// so that only [K, K] leaves it, whatever the number of samples.
import { type Feeds, rowsOf } from '@pare/calibration'
import { attr, editGraph, type GraphEditor, type Model, onnxOpset } from '@pare/graph'
import type { InferenceRuntime, InferenceSession } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import { type RuntimeTensor, tensorFromInts } from '@pare/tensor'

import { errors } from '../errors.js'
import { findLayers } from './find-layers.js'
import type { GramStatistics, InputGram } from './gram-statistics.js'
import { type QuantizeWeightsOptions, resolveWeightsOptions } from './options.js'

/** An activation whose Gram matrix is wanted; its last dimension has `columns` values. */
export interface GramPoint {
  readonly value: string
  readonly columns: number
}

/**
 * The inputs of the layers that gptq and awq would quantize, each once. Layers in bodies of If, Loop
 * and Scan have none: what a body reads cannot be an output of the model.
 */
export function gramPoints(
  model: Model,
  options: QuantizeWeightsOptions = {},
): readonly GramPoint[] {
  const { layers } = findLayers(model.graph, {
    options: resolveWeightsOptions(options),
  })
  const points = new Map<string, GramPoint>()
  for (const { layout, input, columns } of layers) {
    if (layout === 'kn' || layout === 'nk') points.set(input, { value: input, columns })
  }
  return [...points.values()]
}

export interface CollectGramsOptions {
  readonly model: Model
  /** `gramPoints(model, options)`. */
  readonly points: readonly GramPoint[]
  readonly runtime: InferenceRuntime
  readonly batches: AsyncIterable<Feeds> | Iterable<Feeds>
  /** Default 1. */
  readonly threads?: number
  readonly device?: 'cpu' | 'cuda'
  readonly onProgress?: (progress: { readonly samples: number }) => void
  readonly signal?: AbortSignal
}

/**
 * Runs the float model once over the data. A batch whose activations are not finite is left out at
 * the inputs concerned. Throws `quantization_statistics_missing` when there was no batch, and what
 * the runtime throws.
 */
export async function collectGrams(options: CollectGramsOptions): Promise<GramStatistics> {
  const { model, points, runtime, batches } = options
  const instrumented = withGrams(model, points)
  const session = await runtime.createSession(encodeModel(instrumented.model), {
    intraOpThreads: options.threads ?? 1,
    ...(options.device === undefined ? {} : { device: options.device }),
  })
  const sums = points.map((point) => ({ ...point, ...emptyGram(point.columns) }))
  let samples = 0
  try {
    for await (const feeds of batches) {
      options.signal?.throwIfAborted()
      await addBatch(session, feeds, { sums, outputs: instrumented.outputs })
      samples += rowsOf(feeds)
      options.onProgress?.({ samples })
    }
  } finally {
    await session.release()
  }
  if (samples === 0) {
    throw errors.quantization_statistics_missing('Gram matrices need at least one sample')
  }
  return { samples, inputs: new Map(sums.map(({ value, ...gram }) => [value, gram])) }
}

type Sums = { -readonly [Key in keyof InputGram]: InputGram[Key] } & { readonly value: string }

function emptyGram(columns: number): InputGram {
  return {
    columns,
    rows: 0,
    gram: new Float64Array(columns * columns),
    magnitude: new Float64Array(columns),
  }
}

interface GramOutputs {
  readonly gram: string
  readonly magnitude: string
  readonly shape: string
}

async function addBatch(
  session: InferenceSession,
  feeds: Feeds,
  { sums, outputs }: { readonly sums: readonly Sums[]; readonly outputs: readonly GramOutputs[] },
): Promise<void> {
  if (sums.length === 0) return
  const results = await session.run(feeds)
  for (const [i, sum] of sums.entries()) {
    const { gram, magnitude, shape } = outputs[i]!
    const magnitudes = floats(results[magnitude]!)
    const products = floats(results[gram]!)
    if (!magnitudes.every(Number.isFinite) || !products.every(Number.isFinite)) continue
    for (let k = 0; k < products.length; k++) sum.gram[k]! += products[k]!
    for (let k = 0; k < magnitudes.length; k++) sum.magnitude[k]! += magnitudes[k]!
    sum.rows += Number(results[shape]!.data[0])
  }
}

function floats(tensor: RuntimeTensor): Float32Array {
  return tensor.data as Float32Array
}

/** TensorProto.FLOAT, the `to` of Cast. */
const FLOAT = 1
/** From here on ReduceSum takes its axes as an input. */
const AXES_AS_INPUT = 13

function withGrams(
  model: Model,
  points: readonly GramPoint[],
): { readonly model: Model; readonly outputs: readonly GramOutputs[] } {
  const editor = editGraph(model)
  const hasAxesInput = onnxOpset(model) >= AXES_AS_INPUT
  const outputs = points.map((point) => addGram(editor, point, hasAxesInput))
  const names = outputs.flatMap(({ gram, magnitude, shape }) => [gram, magnitude, shape])
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), outputs }
}

function addGram(
  editor: GraphEditor,
  { value, columns }: GramPoint,
  hasAxesInput: boolean,
): GramOutputs {
  const add = (opType: string, inputs: readonly string[], attributes = {}) =>
    editor.addNode({ opType, inputs, attributes }).outputs[0]!
  const flatShape = editor.addInitializer('rows', tensorFromInts('int64', [2], [-1, columns]))
  const cast = add('Cast', [value], { to: attr.int(FLOAT) })
  const x = add('Reshape', [cast, flatShape])
  const absolute = add('Abs', [x])
  const keepdims = attr.int(0)
  const magnitude = hasAxesInput
    ? add('ReduceSum', [absolute, axisZero(editor)], { keepdims })
    : add('ReduceSum', [absolute], { keepdims, axes: attr.ints([0]) })
  const gram = add('Gemm', [x, x], { transA: attr.int(1) })
  return { gram, magnitude, shape: add('Shape', [x]) }
}

function axisZero(editor: GraphEditor): string {
  return editor.addInitializer('axis', tensorFromInts('int64', [1], [0]))
}
