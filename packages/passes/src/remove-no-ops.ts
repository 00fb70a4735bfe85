// Removes nodes that hand their input on unchanged. Rules:
// 1. no-op-table.ts says when a node of an operator does.
// 2. A Dropout in training mode, or whose mask is read, stays, and says so.
// 3. A node between a graph input (or initializer) and a graph output stays: both keep their names.
// 4. So does a node that shows one value under two output names.
import {
  defineRewrite,
  type GraphIndex,
  type Miss,
  type Node,
  type Pass,
  rewritePass,
} from '@pare/graph'
import { opRow } from '@pare/ops'

import { noOpTable } from './no-op-table.js'
import { NO_SHAPES, type ValueShapes } from './value-types.js'

export interface RemoveNoOpsOptions {
  /** Types of values, where the file does not declare them. */
  readonly shapes?: ValueShapes
}

export function removeNoOps({ shapes = NO_SHAPES }: RemoveNoOpsOptions = {}): Pass {
  return rewritePass(
    defineRewrite<NoOpMatch>({
      name: 'remove_no_ops',
      opTypes: Object.keys(noOpTable),
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
  const verdict = opRow(noOpTable, node)?.(node, index, shapes)
  if (verdict !== true) return typeof verdict === 'object' ? verdict : undefined
  if (index.isGraphOutput(output)) {
    if (index.producer(input) === undefined || index.isGraphOutput(input)) return undefined
  }
  return { node, input, output }
}
