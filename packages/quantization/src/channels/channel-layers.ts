// Layers and constants that absorb a factor per channel. A layer whose input channels are divided
// by s and whose output channels shall be divided by t computes the same with W · s / t and b / t.
import { floatAttribute, type GraphIndex, intAttribute, type Node } from '@pare/graph'
import { elementCount, type Tensor, toFloat32 } from '@pare/tensor'

import type { Pinned } from './channel-ids.js'

/**
 * The weight as [first, second, inner]. One side's channels are its rows: channel i in row i. The
 * other side's are its columns: channel floor(i / rowsPerGroup) · second + j in column j.
 */
export interface LayerForm {
  readonly first: number
  readonly second: number
  readonly inner: number
  readonly inputs: number
  readonly outputs: number
  readonly rows: 'input' | 'output'
  readonly rowsPerGroup: number
  /** Axis of the channels of input and output, from the end. */
  readonly channelAxis: number
  /** Of input and output, where the layer fixes it. */
  readonly rank: number | undefined
}

/** A constant with one value per channel, or that can be given one. */
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

/** A layer in the channel graph. Ids are absent on a side that cannot be scaled. */
export interface ChannelLayer {
  readonly node: Node
  readonly weight: Tensor
  readonly form: LayerForm
  readonly inputIds: Int32Array | undefined
  readonly outputIds: Int32Array
}

export const LAYER_TYPES: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul'])

/** The weight of a layer and its form, or why it can absorb no factor. */
export function readLayer(
  node: Node,
  index: GraphIndex,
): { readonly weight: Tensor; readonly form: LayerForm } | Pinned {
  const name = node.inputs[1] ?? ''
  const weight = index.constant(name)
  const label = node.opType
  if (weight === undefined) {
    return { code: 'weight_not_constant', message: `the weight of a ${label} is computed` }
  }
  if (weight.dataType !== 'float32') {
    return { code: 'weight_not_float32', message: `the weight of a ${label} is ${weight.dataType}` }
  }
  const readers = index.consumers(name)
  const times = node.inputs.filter((input) => input === name).length
  if (readers.length !== 1 || times !== 1 || index.isGraphOutput(name)) {
    return { code: 'weight_shared', message: `the weight of a ${label} is read elsewhere too` }
  }
  const form = FORMS[node.opType]!(node, weight)
  if (form === undefined || elementCount(weight.dims) === 0) {
    return {
      code: 'layer_form',
      message: `a ${label} has an unusual weight or transposes its input`,
    }
  }
  return { weight, form }
}

const FORMS: Readonly<Record<string, (node: Node, weight: Tensor) => LayerForm | undefined>> = {
  Conv: convForm,
  ConvTranspose: convTransposeForm,
  Gemm: (node, weight) =>
    intAttribute(node, 'transA', 0) === 1 || weight.dims.length !== 2
      ? undefined
      : matrixForm(weight, { isTransposed: intAttribute(node, 'transB', 0) === 1, rank: 2 }),
  MatMul: (_node, weight) =>
    weight.dims.length < 2 || weight.dims.slice(0, -2).some((size) => size !== 1)
      ? undefined
      : matrixForm(weight, { isTransposed: false, rank: undefined }),
}

/** [M, C/group, k…]. */
function convForm(node: Node, { dims }: Tensor): LayerForm | undefined {
  const [outputs = 0, perGroup = 0, ...kernel] = dims
  const group = intAttribute(node, 'group', 1)
  if (dims.length < 3 || outputs % group !== 0) return undefined
  return {
    first: outputs,
    second: perGroup,
    inner: elementCount(kernel),
    inputs: perGroup * group,
    outputs,
    rows: 'output',
    rowsPerGroup: outputs / group,
    channelAxis: 1 - dims.length,
    rank: dims.length,
  }
}

/** [C, M/group, k…]. */
function convTransposeForm(node: Node, { dims }: Tensor): LayerForm | undefined {
  const [inputs = 0, perGroup = 0, ...kernel] = dims
  const group = intAttribute(node, 'group', 1)
  if (dims.length < 3 || inputs % group !== 0) return undefined
  return {
    first: inputs,
    second: perGroup,
    inner: elementCount(kernel),
    inputs,
    outputs: perGroup * group,
    rows: 'input',
    rowsPerGroup: inputs / group,
    channelAxis: 1 - dims.length,
    rank: dims.length,
  }
}

/** […1, K, N], transposed [N, K]. */
function matrixForm(
  { dims }: Tensor,
  { isTransposed, rank }: { readonly isTransposed: boolean; readonly rank: number | undefined },
): LayerForm {
  const [first, second] = [dims.at(-2)!, dims.at(-1)!]
  return {
    first,
    second,
    inner: 1,
    inputs: isTransposed ? second : first,
    outputs: isTransposed ? first : second,
    rows: isTransposed ? 'output' : 'input',
    rowsPerGroup: first,
    channelAxis: -1,
    rank,
  }
}

/** Where the bias is, if the layer has one; `not_constant` where it cannot be changed. */
export function biasPosition(node: Node, index: GraphIndex): number | undefined | 'not_constant' {
  const name = node.opType === 'MatMul' ? '' : (node.inputs[2] ?? '')
  if (name === '') return undefined
  if (node.opType === 'Gemm' && floatAttribute(node, 'beta', 1) === 0) return undefined
  return index.constant(name)?.dataType === 'float32' ? 2 : 'not_constant'
}

/** Greatest magnitude of each (i, j) over the inner values, [first · second]. */
export function magnitudes(weight: Tensor, { first, second, inner }: LayerForm): Float32Array {
  const values = toFloat32(weight)
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
