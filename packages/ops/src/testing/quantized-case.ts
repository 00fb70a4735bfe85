// A sample between DequantizeLinear and QuantizeLinear, with one scale for all of it.
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { elementCount, tensorFromInts } from '@pare/tensor'

import type { OpCase } from './op-case.js'

/** Same scale and zero point on both sides, as an op that shares quantization needs. */
const SCALE = 0.25
const ZERO_POINT = 128

export interface QuantizedCaseOptions {
  /** Whether the outputs are bytes too, `y0_bytes`. */
  readonly quantizeOutput: boolean
}

/**
 * The case, which is one node, with its data and weights as dequantized bytes: float values of more than one axis. Scales
 * per channel and scalars stay float.
 */
export function quantizedCase(one: OpCase, { quantizeOutput }: QuantizedCaseOptions): Model {
  const { graph } = one.model
  const [node] = graph.nodes
  const builder = model({ opset: 17, irVersion: 8 })
    .floats('scale', [], [SCALE])
    .initializer('zero', tensorFromInts('uint8', [], [ZERO_POINT]))
  const dequantized = (name: string) => {
    builder.node('DequantizeLinear', [name, 'scale', 'zero'], [`${name}_float`])
    return `${name}_float`
  }
  const inputs = node!.inputs.map((name) => {
    const tensor = graph.initializers.get(name)
    if (tensor !== undefined && (tensor.dataType !== 'float32' || tensor.dims.length < 2)) {
      builder.initializer(name, tensor)
      return name
    }
    if (tensor !== undefined) {
      const values = Array.from({ length: elementCount(tensor.dims) }, (_, n) => n % 7)
      builder.initializer(name, tensorFromInts('uint8', tensor.dims, values))
      return dequantized(name)
    }
    const feed = one.feeds[name]
    if (feed === undefined) return name
    const isData = feed.dataType === 'float32'
    builder.input(name, isData ? 'uint8' : feed.dataType, feed.dims)
    return isData ? dequantized(name) : name
  })
  builder.node(one.opType, inputs, node!.outputs, Object.fromEntries(node!.attributes))
  for (const { name } of graph.outputs) {
    if (quantizeOutput) {
      builder.node('QuantizeLinear', [name, 'scale', 'zero'], [`${name}_bytes`])
      builder.output(`${name}_bytes`, 'uint8')
    } else builder.output(name, 'float32')
  }
  return builder.build()
}
