import { errors } from './errors.js'
import { readValues } from './graph-index.js'
import type { Node } from './model.js'

/**
 * The nodes so that each comes after what it reads; the given order is kept wherever it can be.
 * Throws `graph_edit_invalid` for a cycle.
 */
export function topologicalOrder(nodes: readonly Node[]): readonly Node[] {
  const producers = new Map<string, Node>()
  for (const node of nodes) {
    for (const output of node.outputs) if (output !== '') producers.set(output, node)
  }
  if (isOrdered(nodes, producers)) return nodes
  const order: Node[] = []
  const states = new Map<Node, 'open' | 'done'>()
  for (const start of nodes) {
    const stack = [start]
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!
      if (states.get(node) === 'done') {
        stack.pop()
        continue
      }
      const missing = dependencies(node, producers).filter((other) => states.get(other) !== 'done')
      if (missing.length === 0) {
        states.set(node, 'done')
        order.push(node)
        stack.pop()
        continue
      }
      states.set(node, 'open')
      const open = missing.find((other) => states.get(other) === 'open')
      if (open !== undefined) {
        throw errors.graph_edit_invalid(
          `"${node.name}" (${node.opType}) and "${open.name}" (${open.opType}) need each other`,
        )
      }
      for (const other of missing.reverse()) stack.push(other)
    }
  }
  return order
}

function isOrdered(nodes: readonly Node[], producers: ReadonlyMap<string, Node>): boolean {
  const done = new Set<Node>()
  for (const node of nodes) {
    if (dependencies(node, producers).some((other) => !done.has(other))) return false
    done.add(node)
  }
  return true
}

function dependencies(node: Node, producers: ReadonlyMap<string, Node>): Node[] {
  const needed: Node[] = []
  for (const value of readValues(node)) {
    const producer = producers.get(value)
    if (producer !== undefined) needed.push(producer)
  }
  return needed
}
