// What the rewrites of dynamic quantization share: the editor, the integers of an activation (made
// once for all its readers) and the constants.
import type { GraphEditor, Node, NodeSpec } from '@pare/graph'
import type { Tensor } from '@pare/tensor'

import type { QuantizedWeight, WeightRange } from '../integers/quantize-weight.js'
import { ScalarPool } from '../writing/written-constants.js'

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

/** What the writers of all graphs of a model share. */
interface Shared {
  readonly main: GraphEditor
  readonly scalars: ScalarPool
  readonly weights: Map<string, unknown>
}

export interface DynamicChoice {
  readonly perChannel: boolean
  readonly weightRange: WeightRange
}

export class DynamicWriter {
  /** Of the graph whose nodes are rewritten: the main graph or a body. */
  readonly editor: GraphEditor
  readonly perChannel: boolean
  readonly weightRange: WeightRange
  private readonly choice: DynamicChoice
  private readonly shared: Shared
  private readonly operands = new Map<string, DynamicOperand>()

  constructor(editor: GraphEditor, choice: DynamicChoice, shared?: Shared) {
    this.editor = editor
    this.choice = choice
    this.perChannel = choice.perChannel
    this.weightRange = choice.weightRange
    this.shared = shared ?? { main: editor, scalars: new ScalarPool(editor), weights: new Map() }
  }

  /** For a body in the graph: constants go into the main graph, shared by all. */
  inside(body: GraphEditor): DynamicWriter {
    return new DynamicWriter(body, this.choice, this.shared)
  }

  get scalars(): ScalarPool {
    return this.shared.scalars
  }

  addInitializer(hint: string, tensor: Tensor): string {
    return this.shared.main.addInitializer(hint, tensor)
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

  /**
   * What stands for a weight in integers, made and written once for all nodes that use it alike. The
   * key says all that its integers depend on, and how they are written.
   */
  weight<Written>(key: string, make: () => Written): Written {
    const { weights } = this.shared
    const written = weights.has(key) ? (weights.get(key) as Written) : make()
    weights.set(key, written)
    return written
  }

  /** A node with one output; returns the output's name. */
  insert(before: Node, spec: Omit<NodeSpec, 'outputs'> & { readonly name: string }): string {
    const output = this.editor.uniqueName(spec.name)
    this.editor.insertBefore(before, { ...spec, outputs: [output] })
    return output
  }
}
