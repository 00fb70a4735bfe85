// One upgrade rule: a node as the opset before a version defines it, written as that version does.
import type { Attribute, Node } from '@pare/graph'
import type { DataType, Tensor } from '@pare/tensor'

export interface UpgradeContext {
  readonly constant: (value: string) => Tensor | undefined
  readonly rankOf: (value: string) => number | undefined
  readonly dataTypeOf: (value: string) => DataType | undefined
  /** Whether a node or graph output reads the value. */
  readonly isUsed: (value: string) => boolean
  /** Adds an initializer to the node's graph and returns its name. */
  readonly addConstant: (hint: string, tensor: Tensor) => string
  readonly freshName: (hint: string) => string
}

/** Why a node cannot be written in the newer form without changing what it computes. */
export interface Refusal {
  readonly refused: string
}

/** The nodes that take the place of one, in order; the last makes its outputs. */
export type Upgrade = (node: Node, context: UpgradeContext) => readonly Node[] | Refusal

export function refuse(reason: string): Refusal {
  return { refused: reason }
}

/** The node without some attributes and with others set. */
export function withAttributes(
  node: Node,
  changes: Readonly<Record<string, Attribute | undefined>>,
): Node {
  const attributes = new Map(node.attributes)
  for (const [name, attribute] of Object.entries(changes)) {
    if (attribute === undefined) attributes.delete(name)
    else attributes.set(name, attribute)
  }
  return { ...node, attributes }
}

/** The node with one input set, omitted ones before it filled with ''. */
export function withInput(node: Node, position: number, value: string): Node {
  const length = Math.max(node.inputs.length, position + 1)
  const inputs = Array.from({ length }, (_, i) => (i === position ? value : (node.inputs[i] ?? '')))
  return { ...node, inputs }
}
