// Small steps through a graph for recognising what exporters write in primitive operators.
import type { GraphIndex, Node } from '@pare/graph'
import { elementCount, toFloat32 } from '@pare/tensor'

/** The node that makes a value, where it is of one of these types of the default domain. */
export function madeBy(
  value: string | undefined,
  opTypes: readonly string[],
  index: GraphIndex,
): Node | undefined {
  const node = index.producer(behindCasts(value ?? '', index))
  return node !== undefined && isOne(node, opTypes) ? node : undefined
}

export function isOne(node: Node, opTypes: readonly string[]): boolean {
  return node.domain === '' && opTypes.includes(node.opType)
}

/** Exporters of float16 models put Casts around sums. */
function behindCasts(value: string, index: GraphIndex): string {
  let current = value
  for (;;) {
    const node = index.producer(current)
    if (node?.opType !== 'Cast' || node.domain !== '') return current
    current = node.inputs[0]!
  }
}

/** The readers of a node's first output, Casts looked through. */
export function readers(node: Node, index: GraphIndex): readonly Node[] {
  return index
    .consumers(node.outputs[0]!)
    .flatMap((reader) =>
      reader.opType === 'Cast' && reader.domain === '' ? readers(reader, index) : [reader],
    )
}

/** Whether both are the same value, Casts looked through. */
export function isSame(a: string | undefined, b: string | undefined, index: GraphIndex): boolean {
  return behindCasts(a ?? '', index) === behindCasts(b ?? '', index)
}

/** The number that a scalar constant holds. */
export function scalarOf(value: string | undefined, index: GraphIndex): number | undefined {
  const tensor = index.constant(behindCasts(value ?? '', index))
  if (tensor === undefined || elementCount(tensor.dims) !== 1) return undefined
  return tensor.data.kind === 'bytes' ? toFloat32(tensor)[0] : undefined
}

export function isNear(value: number | undefined, expected: number): boolean {
  return value !== undefined && Math.abs(value - expected) <= 0.01 * Math.abs(expected)
}

/** The operand beside a constant, in either order: [operand, constant]. */
export function besideScalar(
  node: Node,
  index: GraphIndex,
): readonly [operand: string, scalar: number] | undefined {
  const [a, b] = node.inputs
  const [left, right] = [scalarOf(a, index), scalarOf(b, index)]
  if (right !== undefined && a !== undefined) return [a, right]
  return left === undefined || b === undefined ? undefined : [b, left]
}
