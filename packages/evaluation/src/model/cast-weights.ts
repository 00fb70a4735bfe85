// Integer weights that plain operators turn into floats: Cast → (Sub zero point) → Mul scale.
import { type Graph, type GraphIndex, indexGraph, type Node } from '@pare/graph'
import type { Tensor } from '@pare/tensor'

export interface CastWeights {
  /** Initializer of the codes → what stands for zero in it. */
  readonly zeroPoints: ReadonlyMap<string, Tensor>
  /** Initializers that are scales and zero points. */
  readonly parameters: ReadonlySet<string>
}

export function castWeights(graph: Graph): CastWeights {
  const index = indexGraph(graph)
  const zeroPoints = new Map<string, Tensor>()
  const parameters = new Set<string>()
  for (const node of graph.nodes) {
    if (node.opType !== 'Mul') continue
    const scaled = node.inputs[0] ?? ''
    const subtraction = producerOf(index, scaled, 'Sub')
    const codes = castOf(index, subtraction?.inputs[0] ?? scaled)
    if (codes === undefined) continue
    parameters.add(node.inputs[1] ?? '')
    const zero = castOf(index, subtraction?.inputs[1] ?? '')
    if (zero === undefined) continue
    parameters.add(zero.name)
    zeroPoints.set(codes.name, zero.tensor)
  }
  return { zeroPoints, parameters }
}

/** The narrow integers that a value was cast from. */
function castOf(
  index: GraphIndex,
  value: string,
): { readonly name: string; readonly tensor: Tensor } | undefined {
  const name = producerOf(index, value, 'Cast')?.inputs[0] ?? ''
  const tensor = index.constant(name)
  return tensor !== undefined && /^u?int[48]$/.test(tensor.dataType) ? { name, tensor } : undefined
}

function producerOf(index: GraphIndex, value: string, opType: string): Node | undefined {
  const producer = index.producer(value)
  return producer?.opType === opType ? producer : undefined
}
