// What the rewrites of dynamic quantization share: the editor, the integers of an activation (made
// once for all its readers) and the constants.
import type { GraphEditor, Node, NodeSpec } from '@pare/graph'

import type { QuantizedWeight, WeightRange } from './quantize-weight.js'
import { ScalarPool } from './written-constants.js'

export interface DynamicOperand {
  /** uint8 values. */
  readonly values: string
  readonly scale: string
  readonly zeroPoint: string
}

export interface WrittenWeight {
  readonly weightName: string
  readonly weight: QuantizedWeight
}

export class DynamicWriter {
  readonly editor: GraphEditor
  readonly scalars: ScalarPool
  readonly perChannel: boolean
  readonly weightRange: WeightRange
  private readonly operands = new Map<string, DynamicOperand>()
  private readonly weights = new Map<string, WrittenWeight>()

  constructor(editor: GraphEditor, choice: { perChannel: boolean; weightRange: WeightRange }) {
    this.editor = editor
    this.scalars = new ScalarPool(editor)
    this.perChannel = choice.perChannel
    this.weightRange = choice.weightRange
  }

  /** The activation in integers; DynamicQuantizeLinear measures its range in each run. */
  operand(value: string, before: Node): DynamicOperand {
    const known = this.operands.get(value)
    if (known !== undefined) return known
    const operand = {
      values: this.editor.uniqueName('q'),
      scale: this.editor.uniqueName('qs'),
      zeroPoint: this.editor.uniqueName('qz'),
    }
    this.editor.insertBefore(before, {
      opType: 'DynamicQuantizeLinear',
      name: 'Q',
      inputs: [value],
      outputs: [operand.values, operand.scale, operand.zeroPoint],
    })
    this.operands.set(value, operand)
    return operand
  }

  /** The weight's integers, made and written once for all nodes that use them alike. */
  weight(key: string, make: () => WrittenWeight): WrittenWeight {
    const written = this.weights.get(key) ?? make()
    this.weights.set(key, written)
    return written
  }

  /** A node with one output; returns the output's name. */
  insert(before: Node, spec: Omit<NodeSpec, 'outputs'> & { readonly name: string }): string {
    const output = this.editor.uniqueName(spec.name)
    this.editor.insertBefore(before, { ...spec, outputs: [output] })
    return output
  }
}
