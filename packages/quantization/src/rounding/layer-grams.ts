// Second moments of what layers multiply their weights with, in one pass over the data: XᵀX is
// computed inside the session, so that [B, k, k] leaves it, whatever the number of samples. The
// columns of a convolution are its patches, cut out by a convolution with one-hot kernels: it has
// the layer's own strides, pads and dilations.
import { type Outputs, type Probe, type ProbeGraph, runProbes } from '@pare/calibration'
import {
  attr,
  type GraphEditor,
  intsAttribute,
  type Model,
  type Node,
  stringAttribute,
} from '@pare/graph'
import { type Emitter } from '@pare/ops'
import { tensorFromFloat32 } from '@pare/tensor'

import { errors } from '../errors.js'
import type { DataSource } from '../layers/data-source.js'
import type { WeightedLayer } from '../layers/layer-weight.js'
import type { WeightBlocks } from './weight-blocks.js'

/** Moments of the inputs of one layer; float64. */
export interface LayerGram {
  /** Rows of X: samples times positions. */
  readonly rows: number
  /** XᵀX of each block, [B, k, k]. */
  readonly gram: Float64Array
  /** Σx of each column, [B, k]. */
  readonly sums: Float64Array
}

export interface GramRequest {
  readonly layer: WeightedLayer
  readonly blocks: WeightBlocks
}

export interface CollectLayerGramsInput {
  readonly model: Model
  readonly requests: readonly GramRequest[]
  readonly source: DataSource
  readonly samples: number
  readonly onSamples: (samples: number) => void
  readonly signal: AbortSignal | undefined
}

/**
 * What `layerGrams` finds in the data. Throws `quantization_statistics_missing` when there is no sample,
 * and what the runtime throws.
 */
export async function collectLayerGrams({
  model,
  requests,
  source,
  samples: most,
  onSamples,
  signal,
}: CollectLayerGramsInput): Promise<readonly LayerGram[]> {
  const { samples, results } = await runProbes({
    ...{ ...source, model, signal },
    batches: source.batches({ samples: most }),
    probes: [layerGrams(requests)],
    onProgress: ({ samples: seen }) => onSamples(seen),
  })
  if (samples > 0) return results[0]
  throw errors.quantization_statistics_missing('Gram matrices need at least one sample')
}

/**
 * One result for each request, in order. Of a batch only as many samples are looked at as have 8 MiB
 * of patches; a batch whose values are not finite at a layer is left out there.
 */
function layerGrams(requests: readonly GramRequest[]): Probe<readonly LayerGram[]> {
  return {
    attach: ({ editor, emit, show }) => {
      const writer = new GramWriter({ editor, emit })
      const names = requests.map((request) => writer.add(request))
      show(names.flatMap(({ gram, sums, shape }) => [gram, sums, shape]))
      const totals = requests.map(({ blocks }) => emptyGram(blocks))
      return {
        observe: async (batch) => {
          const outputs = await batch.outputs()
          totals.forEach((total, i) => addBatch(total, names[i]!, outputs))
        },
        result: () => totals,
      }
    },
  }
}

type GramSums = { -readonly [Key in keyof LayerGram]: LayerGram[Key] }

function emptyGram({ blocks, columns }: WeightBlocks): GramSums {
  return {
    rows: 0,
    gram: new Float64Array(blocks * columns * columns),
    sums: new Float64Array(blocks * columns),
  }
}

interface GramNames {
  readonly gram: string
  readonly sums: string
  readonly shape: string
}

function addBatch(total: GramSums, names: GramNames, results: Outputs): void {
  const gram = results[names.gram]!.data as Float32Array
  const sums = results[names.sums]!.data as Float32Array
  if (!gram.every(Number.isFinite)) return
  for (let i = 0; i < gram.length; i++) total.gram[i]! += gram[i]!
  for (let i = 0; i < sums.length; i++) total.sums[i]! += sums[i]!
  total.rows += Number(results[names.shape]!.data[2])
}

/** Floats of one batch's patches. */
const MAX_PATCH_FLOATS = 2 ** 21

/** Adds Gram matrices to a graph. Layers alike share one. */
class GramWriter {
  private readonly editor: GraphEditor
  private readonly emit: Emitter
  private readonly known = new Map<string, GramNames>()
  private readonly kernels = new Map<string, string>()

  constructor({ editor, emit }: Pick<ProbeGraph, 'editor' | 'emit'>) {
    this.editor = editor
    this.emit = emit
  }

  add({ layer, blocks }: GramRequest): GramNames {
    const key = keyOf(layer.node, layer.weight.dims, blocks)
    const known = this.known.get(key) ?? this.write(layer, blocks)
    this.known.set(key, known)
    return known
  }

  private write(layer: WeightedLayer, { blocks, columns }: WeightBlocks): GramNames {
    const { matMul, shape, transpose } = this.emit
    const x = this.columnsOf(layer, blocks, columns)
    return {
      gram: matMul(x, transpose(x, [0, 2, 1])),
      sums: matMul(x, this.ones(x)),
      shape: shape(x),
    }
  }

  /** X as [B, k, rows]. */
  private columnsOf(layer: WeightedLayer, blocks: number, columns: number): string {
    const { reshape, transpose } = this.emit
    const input = layer.node.inputs[0]!
    if (layer.node.opType !== 'Conv') {
      return transpose(reshape(input, [-1, blocks, columns]), [1, 2, 0])
    }
    const cut = reshape(this.patches(layer, input), [0, blocks, columns, -1])
    return reshape(transpose(cut, [1, 2, 0, 3]), [blocks, columns, -1])
  }

  /** [N, C · taps, …]: channel c · taps + t holds what tap t of channel c is multiplied with. */
  private patches({ node, weight, channels, inputs }: WeightedLayer, input: string): string {
    const { ints, op } = this.emit
    const kernel = weight.dims.slice(2)
    const taps = kernel.reduce((product, size) => product * size, 1)
    const samples = this.affordable(node.outputs[0]!, { channels, floats: inputs * taps })
    const part = op('Slice', [input, ints([0]), samples, ints([0])])
    const attributes = new Map(node.attributes)
    attributes.set('group', attr.int(inputs))
    const conv = { opType: 'Conv', inputs: [part, this.oneHot(inputs, kernel)], attributes }
    return this.editor.addNode(conv).outputs[0]!
  }

  private oneHot(inputs: number, kernel: readonly number[]): string {
    const key = [inputs, ...kernel].join()
    const taps = kernel.reduce((product, size) => product * size, 1)
    const make = () => tensorFromFloat32([inputs * taps, 1, ...kernel], oneHotKernels(inputs, taps))
    const known = this.kernels.get(key) ?? this.emit.constant(make(), 'one_hot')
    this.kernels.set(key, known)
    return known
  }

  /** How many samples' patches fit, at least one: [1], from the size of the layer's output. */
  private affordable(
    output: string,
    { channels, floats }: { readonly channels: number; readonly floats: number },
  ): string {
    const { add, div, ints, mul, reshape, shape, size, slice } = this.emit
    const batch = slice(shape(output), { starts: [0], ends: [1] })
    const positions = div(reshape(size(output), [1]), mul(batch, ints([channels])))
    return add(div(ints([MAX_PATCH_FLOATS]), mul(positions, ints([floats]))), ints([1]))
  }

  /** [rows, 1] of ones: a product with it sums the columns. */
  private ones(x: string): string {
    const { concat, ints, op, shape, slice } = this.emit
    const rows = slice(shape(x), { starts: [2], ends: [3] })
    const one = tensorFromFloat32([1], Float32Array.of(1))
    return op('ConstantOfShape', [concat([rows, ints([1])], 0)], { value: attr.tensor(one) })
  }
}

function oneHotKernels(channels: number, taps: number): Float32Array {
  const values = new Float32Array(channels * taps * taps)
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < taps; t++) values[(c * taps + t) * taps + t] = 1
  }
  return values
}

/** Layers that read the same value in the same way have the same moments. */
function keyOf(node: Node, dims: readonly number[], { blocks, columns }: WeightBlocks): string {
  const geometry =
    node.opType === 'Conv'
      ? [
          stringAttribute(node, 'auto_pad', 'NOTSET'),
          ...['strides', 'pads', 'dilations'].map((name) => intsAttribute(node, name, []).join()),
          dims.slice(2).join(),
        ]
      : []
  return [node.opType, node.inputs[0], blocks, columns, ...geometry].join(' ')
}
