// Layers and constants in the channel graph. Both absorb a factor per channel: a layer whose input channels are divided
// by s and whose output channels shall be divided by t computes the same with W · s / t and b / t.
import type { GraphIndex, Node } from '@pare/graph'
import { type Layer, type LayerForm, layerForm, readLayer } from '@pare/ops'
import { elementCount, type Tensor, toFloat32 } from '@pare/tensor'

import type { Pinned } from './channel-ids.js'

/**
 * A constant with one value per channel, or that can be given one. Where channels alone are followed
 * (`carries`), its own are in `overIds`.
 */
export interface ChannelVector {
  readonly node: Node
  readonly position: number
  readonly tensor: Tensor
  /** Axis of the channels in the tensor, from the end; it may have to be expanded along it. */
  readonly axis: number
  /** Ids of the channels that multiply it, and of those that divide it. */
  readonly timesIds: Int32Array | undefined
  readonly overIds: Int32Array | undefined
  /** The node divides by it: factors act the other way round. */
  readonly isDivisor: boolean
}

/** A layer in the channel graph. Ids are absent where its input has no channels that fit. */
export interface ChannelLayer extends OwnLayer {
  readonly inputIds: Int32Array | undefined
  readonly outputIds: Int32Array
}

/** A layer whose weight is its own, and lies as rows and columns of channels. */
export interface OwnLayer extends Layer {
  readonly form: LayerForm
}

/** The layer that a node is, or why its weight cannot change with its channels. */
export function ownLayer(node: Node, index: GraphIndex): OwnLayer | Pinned {
  return readOwn(node, index, () => undefined)
}

/** The same where the weight can absorb factors. */
export function scalableLayer(node: Node, index: GraphIndex): OwnLayer | Pinned {
  return readOwn(node, index, ({ dataType }) =>
    dataType === 'float32'
      ? undefined
      : { code: 'weight_not_float32', message: `the weight of a ${node.opType} is ${dataType}` },
  )
}

function readOwn(
  node: Node,
  index: GraphIndex,
  objection: (weight: Tensor) => Pinned | undefined,
): OwnLayer | Pinned {
  const label = node.opType
  const layer = readLayer(node, index)
  if (layer === undefined || 'reason' in layer) {
    return { code: 'weight_not_constant', message: `the weight of a ${label} is computed` }
  }
  const { name, tensor: weight } = layer.weight
  const objected = objection(weight)
  if (objected !== undefined) return objected
  const readers = index.consumers(name)
  const times = node.inputs.filter((input) => input === name).length
  if (readers.length !== 1 || times !== 1 || index.isGraphOutput(name)) {
    return { code: 'weight_shared', message: `the weight of a ${label} is read elsewhere too` }
  }
  const form = layer.unusual === undefined ? layerForm(layer) : undefined
  if (form === undefined || elementCount(weight.dims) === 0) {
    return {
      code: 'layer_form',
      message: `a ${label} has an unusual weight or transposes its input`,
    }
  }
  return { ...layer, form }
}

/** Greatest magnitude of each (i, j) over the inner values, [first · second]. */
export function magnitudes({ weight, form: { first, second, inner } }: OwnLayer): Float32Array {
  const values = toFloat32(weight.tensor)
  const greatest = new Float32Array(first * second)
  let at = 0
  for (let cell = 0; cell < greatest.length; cell++) {
    let most = 0
    for (const end = at + inner; at < end; at++) {
      const magnitude = Math.abs(values[at]!)
      if (magnitude > most) most = magnitude
    }
    greatest[cell] = most
  }
  return greatest
}
