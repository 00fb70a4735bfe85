// When a result need not be read back through the runtime: another one with the same nodes was.
import type { Model } from '@pare/graph'

import type { LayerReport } from '../report/report.js'
import type { QuantizeStaticResult } from '../static/quantize-static.js'

/** Whether only constants differ, so that the runtime fuses both alike. */
export function hasSameNodes(a: Model, b: Model): boolean {
  const [nodes, others] = [a.graph.nodes, b.graph.nodes]
  return (
    nodes.length === others.length &&
    nodes.every(({ opType, inputs, outputs }, i) => {
      const other = others[i]!
      return (
        opType === other.opType &&
        inputs.length === other.inputs.length &&
        outputs.length === other.outputs.length
      )
    })
  )
}

/** The layers of a result with the kernels that were read for another one with the same nodes. */
export function withKernelsOf(
  read: QuantizeStaticResult,
  { layers }: QuantizeStaticResult,
): readonly LayerReport[] {
  const kernels = new Map(read.layers.map(({ output, kernel }) => [output, kernel]))
  return layers.map((layer) => {
    const kernel = kernels.get(layer.output)
    return kernel === undefined ? layer : { ...layer, kernel }
  })
}
