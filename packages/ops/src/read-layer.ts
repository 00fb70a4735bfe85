// What a layer is: a node that multiplies values with a constant weight. Where the weight and the bias
// are and how they lie is read here, from the operator's row, for everything that works on weights.
import { floatAttribute, type GraphIndex, intAttribute, type Node } from '@pare/graph'
import { elementCount, type Tensor } from '@pare/tensor'

import { opFacts } from './facts.js'
import type { LayerFacts, LayerKind, OpFacts } from './op-facts.js'

/** A constant that a layer reads. */
export interface LayerConstant {
  /** Index among the inputs of the node. */
  readonly input: number
  readonly name: string
  readonly tensor: Tensor
}

export interface Layer {
  readonly node: Node
  readonly kind: LayerKind
  readonly weight: LayerConstant
  /** Weights beside the first, with the same axes: R of a recurrent layer. */
  readonly furtherWeights: readonly LayerConstant[]
  /** Axis of the weight with the output channels, and with the input channels, which are summed over. */
  readonly outputAxis: number
  readonly inputAxis: number
  /** Channels of all groups. */
  readonly outputs: number
  readonly inputs: number
  /** Parts of the channels that do not see each other; 1 but for convolutions. */
  readonly groups: number
  /** The side whose axis of the weight counts the channels of one group alone. */
  readonly perGroup: 'input' | 'output' | undefined
  /** Index of the input with the values that are multiplied; of a table, with the indices. */
  readonly dataInput: number
  /** Axis of the channels of these values and of the output, from the end. */
  readonly channelAxis: number
  /** Rank of both, where the layer fixes it. */
  readonly dataRank: number | undefined
  /** Index of the input that a bias goes to; undefined: the operator takes none. */
  readonly biasInput: number | undefined
  /** The value there; undefined: the layer has no bias. */
  readonly biasName: string | undefined
  /** Undefined where there is no bias, and where it is computed. */
  readonly bias: Tensor | undefined
  /** What weight and bias are multiplied with: alpha and beta. */
  readonly weightFactor: number
  readonly biasFactor: number
  /** Why it is not the plain product of values and a matrix that most algorithms ask for. */
  readonly unusual: LayerProblem<'gemm_form' | 'batched_weight'> | undefined
}

/** A stable reason, and what a sentence says of the layer: "its weight …". */
export interface LayerProblem<Reason extends string> {
  readonly reason: Reason
  readonly message: string
}

/** A node that has a weight, which is not constant or not where it can be replaced. */
export type LayerWithoutWeight = LayerProblem<'weight_not_constant'>

/**
 * The layer that a node is. Undefined for all other nodes: operators without a weight, products of
 * two computed values, a Gather from one. `index` is of the graph that the node stands in.
 */
export function readLayer(
  node: Node,
  index: Pick<GraphIndex, 'constant'>,
): Layer | LayerWithoutWeight | undefined {
  const facts = opFacts(node)
  if (facts?.layer === undefined) return undefined
  const { layer, biasInput } = facts
  const input = layer.tableInput ?? facts.weightInput
  const weight = input === undefined ? undefined : constantAt(node, input, index)
  if (weight === undefined) return withoutWeight(node, layer, index)
  const biasName = biasInput === undefined ? '' : (node.inputs[biasInput] ?? '')
  const isMatrix = layer.kind === 'matrix'
  return {
    node,
    kind: layer.kind,
    weight,
    furtherWeights: (layer.furtherWeights ?? [])
      .map((further) => constantAt(node, further, index))
      .filter((further) => further !== undefined),
    ...axesOf(node, facts, { layer, dims: weight.tensor.dims }),
    dataInput: layer.kind === 'table' ? 1 : 0,
    biasInput,
    biasName: biasName === '' ? undefined : biasName,
    bias: biasName === '' ? undefined : index.constant(biasName),
    weightFactor: isMatrix ? floatAttribute(node, 'alpha', 1) : 1,
    biasFactor: isMatrix ? floatAttribute(node, 'beta', 1) : 1,
    unusual: isMatrix ? unusualMatrix(node, weight.tensor) : undefined,
  }
}

function constantAt(
  node: Node,
  input: number,
  index: Pick<GraphIndex, 'constant'>,
): LayerConstant | undefined {
  const name = node.inputs[input] ?? ''
  const tensor = index.constant(name)
  return tensor === undefined ? undefined : { input, name, tensor }
}

function withoutWeight(
  node: Node,
  { kind, isProduct }: LayerFacts,
  index: Pick<GraphIndex, 'constant'>,
): LayerWithoutWeight | undefined {
  if (kind === 'table') return undefined
  const reason = 'weight_not_constant'
  if (isProduct !== true) return { reason, message: 'its weight is computed, not an initializer' }
  return index.constant(node.inputs[0] ?? '') === undefined
    ? undefined
    : { reason, message: 'its constant is the left operand' }
}

type Axes = Pick<
  Layer,
  | 'outputAxis'
  | 'inputAxis'
  | 'outputs'
  | 'inputs'
  | 'groups'
  | 'perGroup'
  | 'channelAxis'
  | 'dataRank'
>

function axesOf(
  node: Node,
  facts: OpFacts,
  { layer, dims }: { readonly layer: LayerFacts; readonly dims: readonly number[] },
): Axes {
  const { perGroup } = layer
  const rank = dims.length
  const outputAxis = facts.outChannelAxis?.(node, rank) ?? 0
  const inputAxis = facts.inChannelAxis?.(node, rank) ?? 1
  const groups = perGroup === undefined ? 1 : intAttribute(node, 'group', 1)
  return {
    outputAxis,
    inputAxis,
    outputs: (dims[outputAxis] ?? 1) * (perGroup === 'output' ? groups : 1),
    inputs: (dims[inputAxis] ?? 1) * (perGroup === 'input' ? groups : 1),
    groups,
    perGroup,
    channelAxis: layer.channelAxis === 1 ? 1 - rank : -1,
    dataRank: layer.dataRank === 'weight' ? rank : layer.dataRank,
  }
}

function unusualMatrix(node: Node, { dims }: Tensor): Layer['unusual'] {
  if (intAttribute(node, 'transA', 0) === 1) {
    return { reason: 'gemm_form', message: 'its first input is transposed' }
  }
  if (dims.length < 2) return { reason: 'gemm_form', message: 'its weight is a vector' }
  return dims.slice(0, -2).every((size) => size === 1)
    ? undefined
    : { reason: 'batched_weight', message: 'its weight has batch dimensions' }
}

/**
 * A weight as [first, second, inner], in the order in which it is stored. One side's channels are its
 * rows: channel i in row i. The other side's are its columns: channel
 * floor(i / rowsPerGroup) · second + j in column j of row i.
 */
export interface LayerForm {
  readonly first: number
  readonly second: number
  readonly inner: number
  readonly rows: 'input' | 'output'
  readonly rowsPerGroup: number
}

/** Undefined where the weight has no such form: a vector, batches, groups that do not divide. */
export function layerForm({ outputAxis, inputAxis, groups, weight }: Layer): LayerForm | undefined {
  const { dims } = weight.tensor
  const at = Math.min(outputAxis, inputAxis)
  const [first, second, ...kernel] = dims.slice(at)
  const isForm = Math.abs(outputAxis - inputAxis) === 1 && elementCount(dims.slice(0, at)) === 1
  if (first === undefined || second === undefined || !isForm || first % groups !== 0) {
    return undefined
  }
  const rows = outputAxis < inputAxis ? 'output' : 'input'
  return { first, second, inner: elementCount(kernel), rows, rowsPerGroup: first / groups }
}
