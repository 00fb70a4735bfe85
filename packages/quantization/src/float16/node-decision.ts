// Which nodes must stay float32, and which must be narrow. Rules, in this order:
// 1. Stay: what the operator's definition does not allow, or what we cannot know.
// 2. Stay: what the owner excluded, by name or by type.
// 3. Stay: what computes positions and sizes from integers; float16 is exact only up to 2048.
// 4. Stay: a constant or an activation that does not fit.
// 5. Narrow: layers with constant weights and whatever reads large constants; that is the point.
// 6. All others take the type that needs the fewest Casts.
import { type Node, nodeLabel, stringAttribute } from '@pare/graph'
import { opFacts, type OpFamily, opSet } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import { elementCount } from '@pare/tensor'

import type { Width } from './fewest-casts.js'
import { constantOverflow, isTooSmall, LIMITS } from './narrow-constant.js'
import type { ResolvedFloat16Options } from './options.js'
import type { ScopedValue } from './scope.js'

export interface Candidate {
  readonly node: Node
  /** Its float32 inputs and outputs that would become narrow. */
  readonly inputs: readonly ScopedValue[]
  readonly outputNames: readonly string[]
  /** Outside bodies: only there calibration sees values. */
  readonly isObserved: boolean
  readonly isInFrozenBody: boolean
  readonly isKnown: boolean
  readonly hasNarrowType: boolean
  readonly hasUnknownType: boolean
}

export function staysWide(
  candidate: Candidate,
  options: ResolvedFloat16Options,
): WhyNot | undefined {
  const { node } = candidate
  const { type } = options
  if (candidate.isInFrozenBody) {
    return whyNot('in_subgraph', 'it is in a body that is left as it is')
  }
  if (!candidate.isKnown) {
    return whyNot('unknown_operator', `the types of ${node.opType} are not known`)
  }
  if (!candidate.hasNarrowType) {
    return whyNot('no_narrow_type', `${node.opType} is not defined for ${type} in this opset`)
  }
  if (reducesWhileScattering(node)) {
    return whyNot('no_kernel', `onnxruntime has no ${type} kernel for ${node.opType} that reduces`)
  }
  if (candidate.hasUnknownType) {
    return whyNot('unknown_type', 'the type of one of its inputs is not known')
  }
  if (options.nodeBlockList.includes(nodeLabel(node))) {
    return whyNot('excluded_by_name', 'it is in node_block_list')
  }
  if (options.opBlockList.includes(node.opType)) {
    return whyNot('excluded_by_type', `${node.opType} is in op_block_list`)
  }
  if (computesCounts(candidate)) {
    return whyNot(
      'computed_from_integers',
      `it computes with integers, which ${type} holds exactly only to ${type === 'float16' ? 2048 : 256}`,
    )
  }
  return outOfRange(candidate, options)
}

function reducesWhileScattering(node: Node): boolean {
  if (node.opType !== 'ScatterElements' && node.opType !== 'ScatterND') return false
  return stringAttribute(node, 'reduction', 'none') !== 'none'
}

/** Whether everything the node computes with comes from integers. */
export function computesCounts({ inputs }: Pick<Candidate, 'inputs'>): boolean {
  const variable = inputs.filter(({ constant }) => constant === undefined)
  return variable.length > 0 && variable.every(({ isCount }) => isCount)
}

/** Functions whose results are no longer counts, whatever went in. */
const ENDS_COUNTING = opSet('Cos', 'Erf', 'Sigmoid', 'Sin', 'Softmax', 'Tanh')

/** Whether the node's results are counts again, given that its inputs are. */
export function passesCounts(candidate: Candidate): boolean {
  return (
    computesCounts(candidate) &&
    !ENDS_COUNTING.has(candidate.node.opType) &&
    !readsLargeConstant(candidate.inputs)
  )
}

/** What a layer multiplies with; a bias that is as small adds nothing either way. */
function weightOf(node: Node, inputs: readonly ScopedValue[]): ScopedValue | undefined {
  const position = opFacts(node)?.weightInput
  return inputs.find(({ name }) => position !== undefined && name === node.inputs[position])
}

function outOfRange(
  { node, inputs, outputNames, isObserved }: Candidate,
  { type, overflow, statistics, headroom }: ResolvedFloat16Options,
): WhyNot | undefined {
  for (const { name, constant } of inputs) {
    if (constant === undefined) continue
    const greatest = constantOverflow(constant, type, overflow)
    if (greatest !== undefined) {
      return whyNot('weight_out_of_range', `its constant "${name}" reaches ${greatest}`)
    }
  }
  const weight = weightOf(node, inputs)
  if (overflow !== 'clamp' && weight?.constant !== undefined && isTooSmall(weight.constant, type)) {
    return whyNot('weight_out_of_range', `its weight "${weight.name}" is too small for ${type}`)
  }
  if (!isObserved || statistics === undefined) return undefined
  const limit = LIMITS[type].max / headroom
  for (const name of [...inputs.map((input) => input.name), ...outputNames]) {
    const range = statistics.tensors[name]?.state.range
    if (range === undefined) continue
    const greatest = Math.max(-range.min, range.max)
    if (greatest > limit) {
      return whyNot('activation_out_of_range', `its value "${name}" reaches ${greatest}`)
    }
  }
  return undefined
}

const LAYER_FAMILIES: ReadonlySet<OpFamily> = new Set(['convolution', 'matmul', 'recurrent'])

/** Constants from this many elements on decide the size of the file. */
const LARGE_CONSTANT = 1024

export function mustBeNarrow({ node, inputs }: Candidate): Width | undefined {
  const family = opFacts(node)?.family
  const isLayer =
    family !== undefined &&
    LAYER_FAMILIES.has(family) &&
    inputs.some(({ constant }) => constant !== undefined)
  return isLayer || readsLargeConstant(inputs) ? 'narrow' : undefined
}

function readsLargeConstant(inputs: readonly ScopedValue[]): boolean {
  return inputs.some(
    ({ constant }) => constant !== undefined && elementCount(constant.dims) >= LARGE_CONSTANT,
  )
}

export function describeStay(node: Node, { message }: WhyNot): string {
  return `${node.opType} "${nodeLabel(node)}" stays float32: ${message}`
}
