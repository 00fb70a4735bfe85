// A layer whose weight is constant: where the weight and the bias are, or why it must stay float.
import { floatAttribute, type GraphIndex, intAttribute, type Node } from '@pare/graph'
import { layerWeight, opFacts } from '@pare/ops'
import { elementCount, type Tensor } from '@pare/tensor'

import { type StaysFloat, staysFloat } from '../report/decision.js'

export interface WeightedLayer {
  readonly node: Node
  readonly weightName: string
  readonly weight: Tensor
  /** Axis of the output channels. */
  readonly axis: number
  /** Axis of the input channels, which are summed over. */
  readonly inputAxis: number
  readonly channels: number
  /** Products summed into one output element. */
  readonly reductionSize: number
  readonly biasInput: number
  readonly bias: Tensor | undefined
  /** Factors that Gemm applies; folded into weight and bias. */
  readonly weightFactor: number
  readonly biasFactor: number
}

const LAYER_TYPES: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])

/** Undefined for nodes that are no such layer at all, e.g. a MatMul of two activations. */
export function weightedLayer(
  node: Node,
  index: GraphIndex,
): WeightedLayer | StaysFloat | undefined {
  if (node.domain !== '' || !LAYER_TYPES.has(node.opType)) return undefined
  const weightName = node.inputs[1] ?? ''
  const weight = index.constant(weightName)
  if (weight === undefined) {
    if (node.opType === 'MatMul') return matMulWithoutWeight(node, index)
    return staysFloat('weight_not_constant', 'its weight is computed, not an initializer')
  }
  if (weight.dataType !== 'float32') {
    return staysFloat('weight_not_float32', `its weight is ${weight.dataType}`)
  }
  const unusual = unusualForm(node, weight)
  if (unusual !== undefined) return unusual
  const { outChannelAxis: axis, inChannelAxis } = layerWeight(node, weight.dims.length)!
  const channels = weight.dims[axis]!
  const bias = readBias(node, index, channels)
  if (bias !== undefined && 'reason' in bias) return bias
  return {
    node,
    weightName,
    weight,
    axis,
    inputAxis: inChannelAxis,
    channels,
    reductionSize: elementCount(weight.dims) / Math.max(channels, 1),
    biasInput: opFacts(node)?.biasInput ?? 2,
    bias,
    weightFactor: node.opType === 'Gemm' ? floatAttribute(node, 'alpha', 1) : 1,
    biasFactor: node.opType === 'Gemm' ? floatAttribute(node, 'beta', 1) : 1,
  }
}

function matMulWithoutWeight(node: Node, index: GraphIndex): StaysFloat | undefined {
  return index.constant(node.inputs[0] ?? '') === undefined
    ? undefined
    : staysFloat('weight_not_constant', 'its constant is the left operand')
}

function unusualForm(node: Node, weight: Tensor): StaysFloat | undefined {
  const { dims } = weight
  if (elementCount(dims) === 0) return staysFloat('gemm_form', 'its weight is empty')
  switch (node.opType) {
    case 'MatMul':
      if (dims.length < 2) return staysFloat('gemm_form', 'its weight is a vector')
      return dims.slice(0, -2).every((size) => size === 1)
        ? undefined
        : staysFloat('batched_weight', 'its weight has batch dimensions')
    case 'Gemm':
      return intAttribute(node, 'transA', 0) === 0
        ? undefined
        : staysFloat('gemm_form', 'its first input is transposed')
    default:
      return undefined
  }
}

/** The bias as one value per output channel. */
function readBias(
  node: Node,
  index: GraphIndex,
  channels: number,
): Tensor | StaysFloat | undefined {
  if (node.opType === 'MatMul') return undefined
  const name = node.inputs[2] ?? ''
  if (name === '') return undefined
  const bias = index.constant(name)
  if (bias?.dataType !== 'float32') {
    return staysFloat('bias_not_constant', 'its bias is not a float32 initializer')
  }
  const isVector = bias.dims.at(-1) === channels && elementCount(bias.dims) === channels
  return isVector
    ? bias
    : staysFloat('gemm_form', `its bias has shape [${bias.dims.join(', ')}], not [${channels}]`)
}

/**
 * Whether each output channel sums over the window of an input channel of its own. onnxruntime's kernels
 * for that multiply in 16 bits and add in 32: they never saturate.
 */
export function isDepthwise(layer: WeightedLayer): boolean {
  const group = intAttribute(layer.node, 'group', 1)
  const isOneToOne = layer.weight.dims[1] === 1 && layer.channels === group
  return layer.node.opType === 'Conv' && group > 1 && isOneToOne
}
