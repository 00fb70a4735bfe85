// A layer whose weight is constant: where the weight and the bias are, or why it must stay float.
import type { GraphIndex, Node } from '@pare/graph'
import { type Layer, opFacts, readLayer } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import { elementCount, type Tensor } from '@pare/tensor'

/** A layer with a float32 weight, and a bias of one value per channel if any. */
export interface WeightedLayer extends Pick<
  Layer,
  'node' | 'inputAxis' | 'inputs' | 'groups' | 'bias' | 'weightFactor' | 'biasFactor'
> {
  readonly weightName: string
  readonly weight: Tensor
  /** Axis of the output channels. */
  readonly axis: number
  readonly channels: number
  /** Products summed into one output element. */
  readonly reductionSize: number
  readonly biasInput: number
}

/**
 * Of the operators with an integer kernel. Undefined for nodes that are no such layer at all, e.g. a
 * MatMul of two activations.
 */
export function weightedLayer(node: Node, index: GraphIndex): WeightedLayer | WhyNot | undefined {
  if (opFacts(node)?.integerKernel === undefined) return undefined
  const read = readLayer(node, index)
  if (read === undefined) return undefined
  if ('reason' in read) return whyNot(read.reason, read.message)
  const { name: weightName, tensor: weight } = read.weight
  if (weight.dataType !== 'float32') {
    return whyNot('weight_not_float32', `its weight is ${weight.dataType}`)
  }
  if (elementCount(weight.dims) === 0) return whyNot('gemm_form', 'its weight is empty')
  if (read.unusual !== undefined) return whyNot(read.unusual.reason, read.unusual.message)
  const problem = biasProblem(read)
  if (problem !== undefined) return problem
  const { outputAxis: axis, outputs: channels, inputAxis, inputs, groups } = read
  const { biasInput = 2, bias, weightFactor, biasFactor } = read
  return {
    ...{ node, weightName, weight, axis, channels, inputAxis, inputs, groups },
    reductionSize: elementCount(weight.dims) / Math.max(channels, 1),
    ...{ biasInput, bias, weightFactor, biasFactor },
  }
}

/** The bias must be one value per output channel. */
function biasProblem({ biasName, bias, outputs }: Layer): WhyNot | undefined {
  if (biasName === undefined) return undefined
  if (bias?.dataType !== 'float32') {
    return whyNot('bias_not_constant', 'its bias is not a float32 initializer')
  }
  const isVector = bias.dims.at(-1) === outputs && elementCount(bias.dims) === outputs
  return isVector
    ? undefined
    : whyNot('gemm_form', `its bias has shape [${bias.dims.join(', ')}], not [${outputs}]`)
}

/**
 * Whether each output channel sums over the window of an input channel of its own. onnxruntime's kernels
 * for that multiply in 16 bits and add in 32: they never saturate.
 */
export function isDepthwise(layer: WeightedLayer): boolean {
  const { weight, inputAxis, channels, groups } = layer
  return groups > 1 && weight.dims[inputAxis] === 1 && channels === groups
}
