// An embedding in int8: entries are gathered as integers and only those that were read become
// floats. One scale per entry, since the entries of a table differ in size.
import type { GraphIndex, Node } from '@pare/graph'
import { readLayer } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import { elementCount, type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import { int8Tensor } from '../writing/written-constants.js'
import { castToFloat } from './matmul.js'
import type { DynamicWriter, WrittenWeight } from './operand.js'

export interface TableLayer {
  readonly weightName: string
  /** [entries, width] */
  readonly weight: Tensor
  readonly channels: number
}

/** Smaller tables are not worth three more nodes. */
const MIN_ELEMENTS = 4096

/** Undefined for a Gather of anything but a table of floats, e.g. of a shape. */
export function tableLayer(node: Node, index: GraphIndex): TableLayer | WhyNot | undefined {
  const layer = readLayer(node, index)
  if (layer === undefined || 'reason' in layer) return undefined
  const { name: weightName, tensor: weight } = layer.weight
  if (weight.dims.length !== 2 || elementCount(weight.dims) < MIN_ELEMENTS) return undefined
  if (!weight.dataType.startsWith('float')) return undefined
  if (weight.dataType !== 'float32') {
    return whyNot('weight_not_float32', `its table is ${weight.dataType}`)
  }
  return layer.inputAxis === 0
    ? { weightName, weight, channels: layer.inputs }
    : whyNot('gemm_form', 'it does not gather along the first axis')
}

export function rewriteGather(writer: DynamicWriter, node: Node, layer: TableLayer): WrittenWeight {
  const { weightName, weight, scales } = writer.weight(`table ${layer.weightName}`, () =>
    writeTable(writer, layer),
  )
  const indices = node.inputs[1]!
  const gather = (data: string) =>
    writer.insert(node, { opType: 'Gather', name: 'g', inputs: [data, indices] })
  const values = castToFloat(writer, node, gather(weightName))
  const scale = weight.scales.length === 1 ? scales : gather(scales)
  writer.editor.replaceNode(node, { opType: 'Mul', name: node.name, inputs: [values, scale] })
  return { weightName, weight }
}

function writeTable(writer: DynamicWriter, { weight: tensor }: TableLayer) {
  const { dims } = tensor
  const axis = writer.perChannel ? 0 : undefined
  // The full range: nothing is summed, so nothing can saturate.
  const weight = quantizeWeight(toFloat32(tensor), dims, { axis, range: 'full' })
  const { scales } = weight
  return {
    weightName: writer.addInitializer('w', int8Tensor(dims, weight.data)),
    weight,
    scales:
      scales.length === 1
        ? writer.scalars.float(scales[0]!)
        : writer.addInitializer('s', tensorFromFloat32([dims[0]!, 1], scales)),
  }
}
