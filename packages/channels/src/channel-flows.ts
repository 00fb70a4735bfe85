// How a factor per channel passes through each operator. An operator that is not in the table stops
// it: whatever it reads keeps its scale.
import { floatAttribute, intAttribute, type Node } from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

import { add, divide, multiply } from './channel-arithmetic.js'
import type { ChannelFlow, ChannelValue, FlowContext } from './channel-flow.js'
import type { Pinned } from './channel-ids.js'
import { type ScalableLayer, scalableLayer } from './channel-layers.js'
import {
  concat,
  flatten,
  pad,
  reduce,
  reshape,
  resize,
  squeeze,
  transpose,
} from './channel-moves.js'

/** f(s · x) = s · f(x) for every s > 0, elementwise. Further inputs keep their scale. */
const homogeneous: ChannelFlow = (node, context) => {
  const channels = context.of(node.inputs[0] ?? '')
  for (const value of node.inputs.slice(1)) {
    context.pin(value, { code: 'not_homogeneous', message: `it is a parameter of ${node.opType}` })
  }
  if (channels !== undefined) context.set(node.outputs[0]!, channels)
  return undefined
}

/** Moves a window over all axes from the third on. */
const pool: ChannelFlow = (node, context) => {
  const channels = context.of(node.inputs[0] ?? '')
  if (channels === undefined) return undefined
  if (channels.rank === undefined || channels.axis !== 1 - channels.rank) return layout(node)
  context.set(node.outputs[0]!, channels)
  return undefined
}

function layout(node: Node): Pinned {
  return {
    code: 'layout_unknown',
    message: `where the channels lie behind ${node.opType} is unknown`,
  }
}

const layer: ChannelFlow = (node, context) => {
  const read = scalableLayer(node, context.index)
  if ('code' in read) {
    if (read.code !== 'weight_not_constant') context.refuse(node, read)
    return read
  }
  const input = node.inputs[read.dataInput] ?? ''
  const outputIds = context.ids.allocate(read.outputs)
  const inputIds = layerInput(context.of(input), read)
  context.pin(read.weight.name, {
    code: 'weight_shared',
    message: `it is the weight of a ${node.opType}`,
  })
  if (inputIds === undefined) context.pin(input, layout(node))
  context.set(node.outputs[0]!, {
    ids: outputIds,
    axis: read.channelAxis,
    rank: read.dataRank ?? context.rankOf(input),
    isSpread: false,
  })
  context.addLayer({ ...read, inputIds, outputIds })
  layerBias(read, outputIds, context)
  return undefined
}

/** Factors on the outputs go into the bias too, if that is a constant per channel. */
function layerBias(layer: ScalableLayer, outputIds: Int32Array, context: FlowContext): void {
  const { node, biasInput, biasName, bias } = layer
  if (biasInput === undefined || biasName === undefined || layer.biasFactor === 0) return
  const tensor = bias?.dataType === 'float32' ? bias : undefined
  const size = tensor?.dims.at(-1) ?? 1
  if (tensor === undefined || (size !== 1 && size !== layer.outputs)) {
    const message = `the bias of a ${node.opType} is not a constant per channel`
    context.ids.pin(outputIds, { code: 'bias_not_constant', message })
    if (tensor === undefined) context.pin(biasName, { code: 'bias_not_constant', message })
    return
  }
  // A bias of Conv is a vector whatever the rank of its output; that of Gemm lies along the last axis.
  const vector = { node, position: biasInput, tensor, axis: -1, isDivisor: false }
  context.addVector({ ...vector, timesIds: undefined, overIds: outputIds })
}

function layerInput(
  channels: ChannelValue | undefined,
  { inputs, channelAxis }: ScalableLayer,
): Int32Array | undefined {
  if (channels?.axis !== channelAxis) return undefined
  const { ids, isSpread } = channels
  if (!isSpread) return ids.length === inputs ? ids : undefined
  const run = inputs / ids.length
  return Number.isInteger(run)
    ? Int32Array.from({ length: inputs }, (_, i) => ids[Math.floor(i / run)]!)
    : undefined
}

/** Normalizes, then multiplies by a constant per channel and adds another. */
function norm(axisOf: (node: Node, context: FlowContext) => number | undefined): ChannelFlow {
  return (node, context) => {
    context.pin(node.inputs[0] ?? '', {
      code: 'not_homogeneous',
      message: `${node.opType} reads the value, and no factor passes through it`,
    })
    const axis = axisOf(node, context)
    const positions = [1, 2].filter((position) => (node.inputs[position] ?? '') !== '')
    const tensors = positions.map((position) => context.index.constant(node.inputs[position]!))
    const count = tensors[0]?.dims[0]
    const areVectors = tensors.every(
      (tensor) =>
        tensor?.dataType === 'float32' && tensor.dims.length === 1 && tensor.dims[0] === count,
    )
    if (axis === undefined || count === undefined || !areVectors) return undefined
    const ids = context.ids.allocate(count)
    for (const [i, position] of positions.entries()) {
      const vector = { node, position, tensor: tensors[i]!, axis: -1, isDivisor: false }
      context.addVector({ ...vector, timesIds: undefined, overIds: ids })
    }
    const rank = context.rankOf(node.inputs[0] ?? '')
    context.set(node.outputs[0]!, { ids, axis, rank, isSpread: false })
    return undefined
  }
}

const lastAxis = norm((node, context) => {
  const axis = intAttribute(node, 'axis', -1)
  return axis === -1 || axis + 1 === context.rankOf(node.inputs[0] ?? '') ? -1 : undefined
})

const secondAxis = norm((node, context) => {
  const rank = context.rankOf(node.inputs[0] ?? '')
  return rank === undefined || intAttribute(node, 'training_mode', 0) !== 0 ? undefined : 1 - rank
})

/**
 * Bounds of 0 and infinity pass every factor. Another upper bound passes it where the channel was
 * never seen to reach the bound, and as long as it does not with the factor.
 */
const clip: ChannelFlow = (node, context) => {
  const output = node.outputs[0]!
  const channels = context.of(node.inputs[0] ?? '')
  if (channels === undefined) return undefined
  const min = clipBound(node, context, { input: 1, name: 'min', absent: -Infinity })
  const max = clipBound(node, context, { input: 2, name: 'max', absent: Infinity })
  const reason: Pinned = {
    code: 'clip_bounds',
    message: `${node.opType} bounds all channels alike`,
  }
  if (min === undefined || max === undefined) return reason
  if (min !== 0 && min !== -Infinity) return reason
  context.set(output, channels)
  if (max === 0 || max >= FLOAT_MAX) return undefined
  const maxima = context.clipMaxima(output)
  if (maxima?.length !== channels.ids.length || max < 0 || channels.isSpread) {
    if (max > 0) context.blockClip(output, channels)
    context.pin(output, reason)
    return undefined
  }
  for (const [i, id] of channels.ids.entries()) {
    if (maxima[i]! < max * BOUND_MARGIN)
      context.ids.raiseFloor(id, maxima[i]! / (max * BOUND_MARGIN))
    else context.ids.pin([id], reason)
  }
  return undefined
}

/** Exporters write the greatest float32 for no bound. */
const FLOAT_MAX = 3.4e38
/** A channel comes no nearer to the bound than this part of it. */
const BOUND_MARGIN = 0.98

function clipBound(
  node: Node,
  { index }: FlowContext,
  bound: { readonly input: number; readonly name: string; readonly absent: number },
): number | undefined {
  const name = node.inputs[bound.input] ?? ''
  const value =
    name === ''
      ? floatAttribute(node, bound.name, bound.absent)
      : (() => {
          const tensor = index.constant(name)
          return tensor === undefined ? undefined : toFloat32(tensor)[0]
        })()
  return value !== undefined && value <= -FLOAT_MAX ? -Infinity : value
}

/** Looks at the shape alone. */
const ignores: ChannelFlow = () => undefined

export const CHANNEL_FLOWS: Readonly<Record<string, ChannelFlow>> = {
  Add: add,
  AveragePool: pool,
  BatchNormalization: secondAxis,
  Clip: clip,
  Concat: concat,
  Conv: layer,
  ConvTranspose: layer,
  Div: divide,
  Flatten: flatten,
  Gemm: layer,
  GlobalAveragePool: pool,
  GlobalMaxPool: pool,
  Identity: homogeneous,
  InstanceNormalization: secondAxis,
  LayerNormalization: lastAxis,
  LeakyRelu: homogeneous,
  MatMul: layer,
  MaxPool: pool,
  Mul: multiply,
  Neg: homogeneous,
  PRelu: homogeneous,
  Pad: pad,
  RMSNormalization: lastAxis,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceSum: reduce,
  Relu: homogeneous,
  Reshape: reshape,
  Resize: resize,
  Shape: ignores,
  SimplifiedLayerNormalization: lastAxis,
  Size: ignores,
  Squeeze: squeeze,
  Sub: add,
  Transpose: transpose,
}
