// Attributes that became inputs, so that they may be computed.
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  type Node,
} from '@pare/graph'
import { tensorFromFloat32, tensorFromFloats, tensorFromInts } from '@pare/tensor'

import { refuse, type Upgrade, type UpgradeContext, withAttributes, withInput } from './upgrade.js'

/** A list of integers becomes an int64 input; an absent one stays absent. */
export function intsToInput(attribute: string, position: number): Upgrade {
  return (node, context) => [moveInts(node, context, { attribute, position })]
}

/** Slice 10: starts, ends and axes become inputs 1, 2 and 3. */
export const sliceToInputs: Upgrade = (node, context) => {
  const moved = ['starts', 'ends', 'axes'].reduce(
    (next, attribute, i) => moveInts(next, context, { attribute, position: i + 1 }),
    node,
  )
  return [moved]
}

/** TopK 10: k becomes a tensor of one element. */
export const topKToInput: Upgrade = (node, context) => {
  const k = intAttribute(node, 'k')
  if (k === undefined) return refuse('it has no attribute k')
  const name = context.addConstant(
    `${node.outputs[0] ?? 'topk'}_k`,
    tensorFromInts('int64', [1], [k]),
  )
  return [withInput(withAttributes(node, { k: undefined }), 1, name)]
}

/** Upsample 9: scales become input 1. */
export const upsampleToInput: Upgrade = (node, context) => {
  const scales = floatsAttribute(node, 'scales')
  if (scales === undefined) return refuse('it has no attribute scales')
  const tensor = tensorFromFloat32([scales.length], Float32Array.from(scales))
  const name = context.addConstant(`${node.outputs[0] ?? 'upsample'}_scales`, tensor)
  return [withInput(withAttributes(node, { scales: undefined }), 1, name)]
}

/** Pad 11: pads and value become inputs 1 and 2; an absent value is 0. */
export const padToInputs: Upgrade = (node, context) => {
  const padded = moveInts(node, context, { attribute: 'pads', position: 1 })
  const value = floatAttribute(node, 'value', 0)
  return value === 0
    ? [withAttributes(padded, { value: undefined })]
    : moveScalar(padded, context, { attribute: 'value', position: 2 })
}

/** Clip 11: min and max become inputs 1 and 2 of the type of the data; absent is unbounded. */
export const clipToInputs: Upgrade = (node, context) => {
  const lower = moveScalar(node, context, { attribute: 'min', position: 1 })
  const [next] = Array.isArray(lower) ? (lower as readonly Node[]) : []
  return next === undefined ? lower : moveScalar(next, context, { attribute: 'max', position: 2 })
}

interface Move {
  readonly attribute: string
  readonly position: number
}

function moveInts(node: Node, context: UpgradeContext, { attribute, position }: Move): Node {
  const found = node.attributes.get(attribute)
  // Taken as they are: exporters write "to the end" as the greatest int64, which no number holds.
  const values = found?.type === 'ints' ? found.value : intsAttribute(node, attribute)
  if (values === undefined) return node
  const hint = `${node.outputs[0] ?? node.opType}_${attribute}`
  const name = context.addConstant(hint, tensorFromInts('int64', [values.length], values))
  return withInput(withAttributes(node, { [attribute]: undefined }), position, name)
}

function moveScalar(
  node: Node,
  context: UpgradeContext,
  { attribute, position }: Move,
): ReturnType<Upgrade> {
  const value = floatAttribute(node, attribute)
  if (value === undefined) return [node]
  const dataType = context.dataTypeOf(node.inputs[0] ?? '')
  if (dataType === undefined)
    return refuse(`the type of its input is unknown, and so of ${attribute}`)
  const hint = `${node.outputs[0] ?? node.opType}_${attribute}`
  const tensor = tensorFromFloats(dataType, [], Float32Array.of(value))
  const name = context.addConstant(hint, tensor)
  return [withInput(withAttributes(node, { [attribute]: undefined }), position, name)]
}
