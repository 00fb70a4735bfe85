// One pass over the data for all layers: XᵀX of every layer's input is computed inside the session,
// so that only [K, K] leaves it, whatever the number of samples.
import { type Compute, type Outputs, type Probe, runProbes } from '@pare/calibration'
import type { Batches } from '@pare/datasets'
import type { Model } from '@pare/graph'
import type { Emitter } from '@pare/ops'
import type { RuntimeTensor } from '@pare/tensor'

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

export interface CollectGramsOptions extends Compute {
  readonly model: Model
  /** `gramPoints(model, options)`. */
  readonly points: readonly GramPoint[]
  readonly batches: Batches
  readonly onProgress?: (progress: { readonly samples: number }) => void
  readonly signal?: AbortSignal
}

/**
 * What `inputGrams` finds in the data. Throws `quantization_statistics_missing` when there was no batch,
 * and what the runtime throws.
 */
export async function collectGrams(options: CollectGramsOptions): Promise<GramStatistics> {
  const { samples, results } = await runProbes({ ...options, probes: [inputGrams(options.points)] })
  if (samples > 0) return { samples, inputs: results[0] }
  throw errors.quantization_statistics_missing('Gram matrices need at least one sample')
}

/**
 * The Gram matrix of each point, by value name. A batch whose activations are not finite is left out at
 * the inputs concerned.
 */
function inputGrams(points: readonly GramPoint[]): Probe<ReadonlyMap<string, InputGram>> {
  return {
    attach: ({ emit, show }) => {
      const outputs = points.map((point) => addGram(emit, point))
      show(outputs.flatMap(({ gram, magnitude, shape }) => [gram, magnitude, shape]))
      const sums = points.map((point) => ({ ...point, ...emptyGram(point.columns) }))
      return {
        observe: async (batch) => {
          if (points.length > 0) addBatch(sums, outputs, await batch.outputs())
        },
        result: () => new Map(sums.map(({ value, ...gram }) => [value, gram])),
      }
    },
  }
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

function addBatch(sums: readonly Sums[], outputs: readonly GramOutputs[], results: Outputs): void {
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

function addGram(emit: Emitter, { value, columns }: GramPoint): GramOutputs {
  const x = emit.reshape(emit.cast(value, 'float32'), [-1, columns])
  return {
    gram: emit.gemm([x, x], { transA: true }),
    magnitude: emit.reduceSum(emit.abs(x), [0], { keepDims: false }),
    shape: emit.shape(x),
  }
}
