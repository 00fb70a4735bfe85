// Removes nodes that hand their input on unchanged. Rules:
// 1. Identity; Dropout outside training mode, when its mask is not read.
// 2. Cast to the type its input is known to have; Transpose in the order the axes already have;
//    Pad by nothing; Concat, Sum, Mean, Max and Min of a single input.
// 3. A node between a graph input (or initializer) and a graph output stays: both keep their names.
// 4. So does a node that shows one value under two output names.
import {
  defineRewrite,
  type GraphIndex,
  intAttribute,
  intsAttribute,
  type Miss,
  miss,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { dataTypeNumber, toIntegers, toNumbers } from '@pare/tensor'

import { dataTypeOf, NO_SHAPES, type ValueShapes } from './value-types.js'

export interface RemoveNoOpsOptions {
  /** Types of values, where the file does not declare them. */
  readonly shapes?: ValueShapes
}

export function removeNoOps({ shapes = NO_SHAPES }: RemoveNoOpsOptions = {}): Pass {
  return rewritePass(
    defineRewrite<NoOpMatch>({
      name: 'remove_no_ops',
      opTypes: Object.keys(NO_OP_RULES),
      match: (node, index) => match(node, index, shapes),
      rewrite: ({ node, input, output }, editor) => {
        editor.replaceUses(output, input)
        editor.removeNode(node)
      },
    }),
  )
}

interface NoOpMatch {
  readonly node: Node
  readonly input: string
  readonly output: string
}

function match(node: Node, index: GraphIndex, shapes: ValueShapes): NoOpMatch | Miss | undefined {
  const [input = '', output = ''] = [node.inputs[0], node.outputs[0]]
  if (input === '' || output === '') return undefined
  const verdict = NO_OP_RULES[node.opType]?.(node, index, shapes)
  if (verdict !== true) return typeof verdict === 'object' ? verdict : undefined
  if (index.isGraphOutput(output)) {
    if (index.producer(input) === undefined || index.isGraphOutput(input)) return undefined
  }
  return { node, input, output }
}

type NoOpRule = (node: Node, index: GraphIndex, shapes: ValueShapes) => boolean | Miss

const isSingleInput: NoOpRule = (node) => node.inputs.length === 1

const NO_OP_RULES: Readonly<Record<string, NoOpRule>> = {
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
  const input = node.inputs[1] ?? ''
  if (input === '') return intsAttribute(node, 'pads')
  const pads = index.constant(input)
  return pads === undefined ? undefined : toIntegers(pads)
}
