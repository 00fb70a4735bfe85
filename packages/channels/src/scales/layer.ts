// Factors per channel at layers, whose weight absorbs them on both sides.
import { layerInputIds } from '../carries/layer.js'
import { type OwnLayer, scalableLayer } from '../channel-layers.js'
import { type ChannelRule, layoutUnknown, type RuleContext } from '../channel-rule.js'
import { channelValue, soleChannels } from '../channel-value.js'

export const layer: ChannelRule = (node, context) => {
  const read = scalableLayer(node, context.index)
  if ('code' in read) {
    if (read.code !== 'weight_not_constant') context.refuse(node, read)
    return read
  }
  const input = node.inputs[read.dataInput] ?? ''
  const outputIds = context.ids.allocate(read.outputs)
  const inputIds = factorsOnInput(context, input, read)
  context.pin(read.weight.name, {
    code: 'weight_shared',
    message: `it is the weight of a ${node.opType}`,
  })
  if (inputIds === undefined) context.pin(input, layoutUnknown(node))
  const rank = read.dataRank ?? context.rankOf(input)
  const written = { ids: outputIds, axis: read.channelAxis, rank, isSpread: false }
  context.set(node.outputs[0]!, channelValue(written))
  context.addLayer({ ...read, inputIds, outputIds })
  layerBias(read, outputIds, context)
  return undefined
}

/** Factors on the outputs go into the bias too, if that is a constant per channel. */
function layerBias(layer: OwnLayer, outputIds: Int32Array, context: RuleContext): void {
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

function factorsOnInput(
  context: RuleContext,
  input: string,
  layer: OwnLayer,
): Int32Array | undefined {
  const channels = soleChannels(context.of(input))
  return channels?.axis === layer.channelAxis ? layerInputIds(channels, layer) : undefined
}
