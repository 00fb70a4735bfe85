// Which tensor of a quantized model stands for which tensor of the float model it was made from.
import { type GraphIndex, indexGraph, type Model } from '@pare/graph'

export interface TensorPair {
  /** Name in the float model. */
  readonly original: string
  /** Name in the quantized model. */
  readonly result: string
  /** The node of the float model that makes the tensor. */
  readonly node: string
  readonly opType: string
}

/**
 * Pairs the outputs of the nodes of the float model with their namesakes. Where the namesake is
 * quantized, its dequantized form is taken: asking for the value before would keep the runtime from
 * computing it in integers, and hide the error that is looked for. `names` overrules the rule for
 * the tensors it lists.
 */
export function matchTensors(
  original: Model,
  result: Model,
  names: Readonly<Record<string, string>> = {},
): readonly TensorPair[] {
  const index = indexGraph(result.graph)
  return original.graph.nodes.flatMap((node) =>
    node.outputs.flatMap((name) => {
      const match = names[name] ?? findNamesake(name, index)
      if (match === undefined || name === '' || node.opType === 'Constant') return []
      return [{ original: name, result: match, node: node.name || name, opType: node.opType }]
    }),
  )
}

function findNamesake(name: string, index: GraphIndex): string | undefined {
  const producer = index.producer(name)
  if (producer === undefined) return undefined
  if (producer.opType === 'DequantizeLinear') return name
  const quantize = index.consumers(name).find(({ opType }) => opType === 'QuantizeLinear')
  const quantized = quantize?.outputs[0]
  if (quantized === undefined) return name
  const dequantize = index.consumers(quantized).find(({ opType }) => opType === 'DequantizeLinear')
  return dequantize?.outputs[0] ?? name
}
