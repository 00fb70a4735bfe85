// Second moments of what layers multiply their weights with, in one pass over the data: XᵀX is
// computed inside the session, so that [B, k, k] leaves it, whatever the number of samples. The
// columns of a convolution are its patches, cut out by a convolution with one-hot kernels: it has
// the layer's own strides, pads and dilations.
import { type Outputs, type Probe, runProbes } from '@pare/calibration'
import {
  attr,
  type GraphEditor,
  intsAttribute,
  type Model,
  type Node,
  stringAttribute,
} from '@pare/graph'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'

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
export function layerGrams(requests: readonly GramRequest[]): Probe<readonly LayerGram[]> {
  return {
    attach: ({ editor, show }) => {
      const writer = new GramWriter(editor)
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
  private readonly known = new Map<string, GramNames>()
  private readonly initializers = new Map<string, string>()

  constructor(editor: GraphEditor) {
    this.editor = editor
  }

  add({ layer, blocks }: GramRequest): GramNames {
    const key = keyOf(layer.node, layer.weight.dims, blocks)
    const known = this.known.get(key) ?? this.write(layer, blocks)
    this.known.set(key, known)
    return known
  }

  private write(layer: WeightedLayer, { blocks, columns }: WeightBlocks): GramNames {
    const x = this.columnsOf(layer, blocks, columns)
    const transposed = this.node('Transpose', [x], { perm: attr.ints([0, 2, 1]) })
    return {
      gram: this.node('MatMul', [x, transposed]),
      sums: this.node('MatMul', [x, this.ones(x)]),
      shape: this.node('Shape', [x]),
    }
  }

  /** X as [B, k, rows]. */
  private columnsOf(layer: WeightedLayer, blocks: number, columns: number): string {
    const input = layer.node.inputs[0]!
    if (layer.node.opType !== 'Conv') {
      const rows = this.node('Reshape', [input, this.ints([-1, blocks, columns])])
      return this.node('Transpose', [rows], { perm: attr.ints([1, 2, 0]) })
    }
    const patches = this.patches(layer, input)
    const cut = this.node('Reshape', [patches, this.ints([0, blocks, columns, -1])])
    const turned = this.node('Transpose', [cut], { perm: attr.ints([1, 2, 0, 3]) })
    return this.node('Reshape', [turned, this.ints([blocks, columns, -1])])
  }

  /** [N, C · taps, …]: channel c · taps + t holds what tap t of channel c is multiplied with. */
  private patches({ node, weight, channels, inputs }: WeightedLayer, input: string): string {
    const kernel = weight.dims.slice(2)
    const taps = kernel.reduce((product, size) => product * size, 1)
    const attributes = new Map(node.attributes)
    attributes.set('group', attr.int(inputs))
    const oneHot = this.initializer(`one-hot ${inputs} ${kernel.join()}`, () =>
      tensorFromFloat32([inputs * taps, 1, ...kernel], oneHotKernels(inputs, taps)),
    )
    const samples = this.affordable(node.outputs[0]!, { channels, floats: inputs * taps })
    const part = this.node('Slice', [input, this.ints([0]), samples, this.ints([0])])
    return this.node('Conv', [part, oneHot], attributes)
  }

  /** How many samples' patches fit, at least one: [1], from the size of the layer's output. */
  private affordable(
    output: string,
    { channels, floats }: { readonly channels: number; readonly floats: number },
  ): string {
    const shape = this.node('Shape', [output])
    const batch = this.node('Slice', [shape, this.ints([0]), this.ints([1])])
    const size = this.node('Reshape', [this.node('Size', [output]), this.ints([1])])
    const perSample = this.node('Mul', [
      this.node('Div', [size, this.node('Mul', [batch, this.ints([channels])])]),
      this.ints([floats]),
    ])
    const fitting = this.node('Div', [this.ints([MAX_PATCH_FLOATS]), perSample])
    return this.node('Add', [fitting, this.ints([1])])
  }

  /** [rows, 1] of ones: a product with it sums the columns. */
  private ones(x: string): string {
    const shape = this.node('Shape', [x])
    const rows = this.node('Slice', [shape, this.ints([2]), this.ints([3])])
    const dims = this.node('Concat', [rows, this.ints([1])], { axis: attr.int(0) })
    const one = tensorFromFloat32([1], Float32Array.of(1))
    return this.node('ConstantOfShape', [dims], { value: attr.tensor(one) })
  }

  private ints(values: readonly number[]): string {
    return this.initializer(`ints ${values.join()}`, () =>
      tensorFromInts('int64', [values.length], values),
    )
  }

  private initializer(key: string, make: () => ReturnType<typeof tensorFromInts>): string {
    const known = this.initializers.get(key) ?? this.editor.addInitializer('gram', make())
    this.initializers.set(key, known)
    return known
  }

  private node(
    opType: string,
    inputs: readonly string[],
    attributes: Parameters<GraphEditor['addNode']>[0]['attributes'] = {},
  ): string {
    return this.editor.addNode({ opType, inputs, attributes }).outputs[0]!
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
