// A layer followed by y = scale · x + shift per output channel is one layer with another weight and
// bias. This file knows how that looks for each kind of layer; passes decide when to do it.
import { type GraphEditor, type GraphIndex, type Miss, miss, type Node } from '@pare/graph'
import { type Layer, type LayerForm, layerForm, opSet, readLayer } from '@pare/ops'
import { type DataType, type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'

/** Per output channel, in double precision. */
export interface ChannelAffine {
  readonly scale: Float64Array
  readonly shift: Float64Array
}

/** A layer whose weight and bias are constants that may be replaced. */
export interface AffineLayer {
  readonly node: Node
  readonly weight: Tensor
  /** In double precision, with Gemm's beta applied; zeros where the layer has no bias. */
  readonly bias: Float64Array
  readonly channels: number
  readonly form: LayerForm
}

/** Types in which weights can be rewritten without losing more than their own rounding. */
const WEIGHT_TYPES: ReadonlySet<DataType> = new Set(['float32', 'float16'])

const AFFINE_LAYERS = opSet('Conv', 'ConvTranspose', 'Gemm')

/**
 * The layer that makes `value`, if only `reader` reads it. Undefined: no such layer; a Miss: there
 * is one, but its weight or bias cannot be replaced.
 */
export function affineLayerBefore(
  value: string,
  index: GraphIndex,
): AffineLayer | Miss | undefined {
  const node = index.producer(value)
  if (node === undefined || node.domain !== '' || !AFFINE_LAYERS.has(node.opType)) return undefined
  if (index.consumers(value).length !== 1 || index.isGraphOutput(value)) {
    return miss('layer_output_shared', 'the output of the layer before it is used elsewhere too')
  }
  const read = readLayer(node, index)
  if (read === undefined || 'reason' in read) {
    return miss('weight_not_constant', 'the weight of the layer before it is not a constant')
  }
  const { tensor: weight } = read.weight
  if (!WEIGHT_TYPES.has(weight.dataType)) {
    return miss('weight_type', `the weight of the layer before it is ${weight.dataType}`)
  }
  const form = layerForm(read)
  if (form === undefined) {
    return miss('weight_form', 'the weight of the layer before it has no channels')
  }
  const bias = biasOf(read)
  if (bias === undefined) {
    return miss(
      'bias_not_constant',
      'the bias of the layer before it is not one constant per channel',
    )
  }
  return { node, weight, bias, channels: read.outputs, form }
}

function biasOf(layer: Layer): Float64Array | undefined {
  const { biasName, bias, outputs, kind, biasFactor } = layer
  if (biasName === undefined) return new Float64Array(outputs)
  if (bias === undefined || !WEIGHT_TYPES.has(bias.dataType)) return undefined
  const rank = kind === 'matrix' ? 2 : 1
  return channelVector(bias, outputs, { axis: 1, rank })?.map((value) => value * biasFactor)
}

/**
 * One value per channel of a constant that broadcasts against a tensor of `rank` whose channels lie
 * on `axis`; undefined when it differs along another axis or is not known to.
 */
export function channelVector(
  tensor: Tensor,
  channels: number,
  { axis, rank }: { readonly axis: number; readonly rank: number },
): Float64Array | undefined {
  const { dims } = tensor
  if (dims.length > rank) return undefined
  // A rank-1 bias of a convolution lies on the channels whatever the rank of the output.
  const channelAxis = rank === 1 ? dims.length - 1 : axis - (rank - dims.length)
  if (dims.some((size, i) => size !== 1 && i !== channelAxis)) return undefined
  const values = toFloat32(tensor)
  if (values.length === 1) return new Float64Array(channels).fill(values[0]!)
  return values.length === channels ? Float64Array.from(values) : undefined
}

export interface ScaledLayer {
  readonly layer: AffineLayer
  readonly weight: Tensor
  readonly bias: Tensor
}

/** W' = W · scale, b' = b · scale + shift. A Miss when a result is not finite in the weight's type. */
export function scaleLayer(layer: AffineLayer, affine: ChannelAffine): ScaledLayer | Miss {
  const { weight, channels } = layer
  const { first, second, inner, rows, rowsPerGroup } = layer.form
  const source = toFloat32(weight)
  const scaled = new Float32Array(source.length)
  let at = 0
  for (let i = 0; i < first; i++) {
    const column = Math.floor(i / rowsPerGroup) * second
    for (let j = 0; j < second; j++) {
      const factor = affine.scale[rows === 'output' ? i : column + j]!
      for (const end = at + inner; at < end; at++) scaled[at] = source[at]! * factor
    }
  }
  const bias = Float32Array.from(
    layer.bias,
    (value, channel) => value * affine.scale[channel]! + affine.shift[channel]!,
  )
  const tensors = {
    weight: tensorFromFloats(weight.dataType, weight.dims, scaled),
    bias: tensorFromFloats(weight.dataType, [channels], bias),
  }
  const isFinite = [tensors.weight, tensors.bias].every((tensor) =>
    toFloat32(tensor).every(Number.isFinite),
  )
  if (!isFinite)
    return miss('fold_overflows', 'folding would overflow the type of the weight', 'warning')
  return { layer, ...tensors }
}

/** Puts the scaled layer in the place of the layer and of `follower`, whose output it then makes. */
export function replaceLayer(
  { layer, weight, bias }: ScaledLayer,
  follower: Node,
  editor: GraphEditor,
): void {
  const { node } = layer
  const attributes = new Map(node.attributes)
  if (node.opType === 'Gemm') attributes.delete('beta')
  editor.removeNode(follower)
  editor.updateNode(node, {
    inputs: [
      node.inputs[0]!,
      editor.addInitializer(node.inputs[1]!, weight),
      editor.addInitializer(node.inputs[2] ?? `${node.inputs[1]!}_bias`, bias),
    ],
    outputs: follower.outputs.slice(0, 1),
    attributes,
  })
}
