// Channels through layers: those that a layer writes are its own, but for groups.
import type { Node } from '@pare/graph'

import type { Pinned } from '../channel-ids.js'
import { type OwnLayer, ownLayer } from '../channel-layers.js'
import type { ChannelRule, RuleContext } from '../channel-rule.js'
import { layoutUnknown } from '../channel-rule.js'
import { channelValue, type PlacedChannels, placedChannels } from '../channel-value.js'

/** A matrix lets the other axes pass; a convolution moves a window along them. */
export const layer: ChannelRule = (node, context) => {
  const read = ownLayer(node, context.index)
  if ('code' in read) {
    if (read.code !== 'weight_not_constant') context.refuse(node, read)
    return read
  }
  const input = placedChannels(context.of(node.inputs[read.dataInput] ?? ''))
  const along = input.find(({ axis }) => axis === read.channelAxis)
  const inputIds = layerInputIds(along, read)
  const outputIds = context.ids.allocate(read.outputs)
  const passing = read.kind === 'matrix' ? input.filter((placed) => placed !== along) : []
  for (const placed of input) {
    const isRead = placed === along && inputIds !== undefined
    if (!isRead && !passing.includes(placed)) context.ids.pin(placed.ids, layoutUnknown(node))
  }
  if (read.groups > 1) tieGroups(read, context, { inputIds, outputIds })
  const rank = read.dataRank ?? context.rankOf(node.inputs[read.dataInput] ?? '')
  const written = { ids: outputIds, axis: read.channelAxis, rank, isSpread: false }
  context.set(node.outputs[0]!, channelValue(written, ...passing))
  context.addLayer({ ...read, inputIds, outputIds })
  carryBias(node, read, { outputIds, context })
  return undefined
}

/** The id of each input channel; undefined where they do not fit the weight. */
export function layerInputIds(
  channels: PlacedChannels | undefined,
  { inputs }: OwnLayer,
): Int32Array | undefined {
  if (channels === undefined) return undefined
  const { ids, isSpread } = channels
  if (!isSpread) return ids.length === inputs ? ids : undefined
  const run = inputs / ids.length
  return Number.isInteger(run)
    ? Int32Array.from({ length: inputs }, (_, i) => ids[Math.floor(i / run)]!)
    : undefined
}

interface LayerIds {
  readonly inputIds: Int32Array | undefined
  readonly outputIds: Int32Array
}

/** A depthwise convolution writes channels of those it reads; other groups must stay of equal size. */
function tieGroups(
  { inputs, outputs, groups, node }: OwnLayer,
  { ids }: RuleContext,
  { inputIds, outputIds }: LayerIds,
): void {
  if (inputs === groups && inputIds !== undefined) {
    const multiplier = outputs / inputs
    ids.unite(
      outputIds.map((_, channel) => inputIds[Math.floor(channel / multiplier)]!),
      outputIds,
    )
    return
  }
  const reason: Pinned = {
    code: 'channels_in_groups',
    message: `a ${node.opType} takes them in groups of equal size`,
  }
  for (const list of [inputIds, outputIds]) if (list !== undefined) ids.pin(list, reason)
}

function carryBias(
  node: Node,
  { biasInput, biasName, bias, outputs }: OwnLayer,
  { outputIds, context }: { readonly outputIds: Int32Array; readonly context: RuleContext },
): void {
  if (biasInput === undefined || biasName === undefined) return
  const size = bias?.dims.at(-1) ?? 1
  if (bias !== undefined && size === outputs) {
    const vector = { node, position: biasInput, tensor: bias, axis: -1, isDivisor: false }
    context.addVector({ ...vector, timesIds: undefined, overIds: outputIds })
  } else if (bias === undefined || size !== 1) {
    const message = `the bias of a ${node.opType} is not a constant per channel`
    context.ids.pin(outputIds, { code: 'bias_not_constant', message })
    context.pin(biasName, { code: 'bias_not_constant', message })
  }
}
