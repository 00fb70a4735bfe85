// Integer weights that plain operators turn into floats: Cast → (Sub zero point) → Mul scale.
import type { Graph, GraphIndex, Node } from '@pare/graph'
import { type Tensor, toNumbers } from '@pare/tensor'

export interface CastWeights {
  /** Initializer of the codes → what stands for zero in it. */
  readonly zeroPoints: ReadonlyMap<string, Tensor>
  /**
   * Initializer of codes whose rows were filled up to whole blocks → weights that a row really has, as
   * the Slice behind says.
   */
  readonly columns: ReadonlyMap<string, number>
  /** Initializers that are scales and zero points. */
  readonly parameters: ReadonlySet<string>
}

/** `index` is that of the graph. */
export function castWeights({ nodes }: Graph, index: GraphIndex): CastWeights {
  const zeroPoints = new Map<string, Tensor>()
  const columns = new Map<string, number>()
  const parameters = new Set<string>()
  for (const node of nodes) {
    if (node.opType !== 'Mul') continue
    const scaled = node.inputs[0] ?? ''
    const subtraction = producerOf(index, scaled, 'Sub')
    const codes = castOf(index, subtraction?.inputs[0] ?? scaled)
    if (codes === undefined) continue
    parameters.add(node.inputs[1] ?? '')
    const kept = keptColumns(index, node.outputs[0] ?? '')
    if (kept !== undefined) columns.set(codes.name, kept)
    const zero = castOf(index, subtraction?.inputs[1] ?? '')
    if (zero === undefined) continue
    parameters.add(zero.name)
    zeroPoints.set(codes.name, zero.tensor)
  }
  return { zeroPoints, columns, parameters }
}

/** Mul → Reshape [rows, padded] → Slice to the first so many. */
function keptColumns(index: GraphIndex, scaled: string): number | undefined {
  const [reshape] = index.consumers(scaled)
  if (reshape?.opType !== 'Reshape') return undefined
  const [slice] = index.consumers(reshape.outputs[0] ?? '')
  const ends = slice?.opType === 'Slice' ? index.constant(slice.inputs[2] ?? '') : undefined
  return ends === undefined ? undefined : Number(toNumbers(ends)[0])
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
