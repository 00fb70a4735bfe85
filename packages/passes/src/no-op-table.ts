// When a node hands its first input on unchanged, by operator.
import {
  type GraphIndex,
  intAttribute,
  intsAttribute,
  type Miss,
  miss,
  type Node,
} from '@pare/graph'
import type { OpTable } from '@pare/ops'
import { dataTypeNumber, toIntegers, toNumbers } from '@pare/tensor'

import { dataTypeOf, type ValueShapes } from './value-types.js'

/** Whether a node hands its input on unchanged; a Miss where it nearly does. */
export type NoOpRule = (node: Node, index: GraphIndex, shapes: ValueShapes) => boolean | Miss

const isSingleInput: NoOpRule = (node) => node.inputs.length === 1

export const noOpTable: OpTable<NoOpRule> = {
  Cast: (node, index, shapes) => {
    const type = dataTypeOf(node.inputs[0] ?? '', index, shapes)
    return type !== undefined && dataTypeNumber(type) === intAttribute(node, 'to')
  },
  Concat: isSingleInput,
  Dropout: isIdleDropout,
  Identity: () => true,
  Max: isSingleInput,
  Mean: isSingleInput,
  Min: isSingleInput,
  Pad: (node, index) => padsOf(node, index)?.every((pad) => pad === 0) ?? false,
  Sum: isSingleInput,
  Tile: (node, index) => constantInput(node, 1, index)?.every((times) => times === 1) ?? false,
  Transpose: (node) => intsAttribute(node, 'perm')?.every((axis, i) => axis === i) ?? false,
}

function isIdleDropout(node: Node, index: GraphIndex): boolean | Miss {
  const mask = node.outputs[1] ?? ''
  if (mask !== '' && (index.consumers(mask).length > 0 || index.isGraphOutput(mask))) {
    return miss('dropout_mask_used', 'the mask of this Dropout is read, so it stays')
  }
  const training = node.inputs[2] ?? ''
  if (training === '') return true
  const flag = index.constant(training)
  if (flag !== undefined && toNumbers(flag)[0] === 0) return true
  return miss('dropout_in_training', 'this Dropout may be in training mode, so it stays', 'warning')
}

/** Constant pads, from the input (opset 11) or the attribute. */
function padsOf(node: Node, index: GraphIndex): readonly number[] | undefined {
  return (node.inputs[1] ?? '') === '' ? intsAttribute(node, 'pads') : constantInput(node, 1, index)
}

/** The integers of an input that is constant. */
function constantInput(
  node: Node,
  position: number,
  index: GraphIndex,
): readonly number[] | undefined {
  const tensor = index.constant(node.inputs[position] ?? '')
  return tensor === undefined ? undefined : toIntegers(tensor)
}
