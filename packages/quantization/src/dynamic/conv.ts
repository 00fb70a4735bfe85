// Conv with integers made at run time. Off by default: onnxruntime's ConvInteger takes 5 to 17 times
// as long as its float Conv, so this buys size only.
import { tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import type { WeightedLayer } from '../layers/layer-weight.js'
import { int8Tensor } from '../writing/written-constants.js'
import { castToFloat } from './matmul.js'
import type { DynamicWriter, WrittenWeight } from './operand.js'

export function rewriteConv(writer: DynamicWriter, layer: WeightedLayer): WrittenWeight {
  const { node } = layer
  const { editor } = writer
  const { dims } = layer.weight
  const axis = writer.perChannel ? layer.axis : undefined
  const { weightName, weight } = writer.weight(`conv ${layer.weightName}`, () => {
    const made = quantizeWeight(toFloat32(layer.weight), dims, { axis, range: writer.weightRange })
    return { weightName: writer.addInitializer('w', int8Tensor(dims, made.data)), weight: made }
  })
  const x = writer.operand(node.inputs[0]!, node)
  const product = writer.insert(node, {
    opType: 'ConvInteger',
    name: 'm',
    inputs: [x.values, weightName, x.zeroPoint],
    attributes: node.attributes,
  })
  const floats = castToFloat(writer, node, product)
  const perChannel = (values: Float32Array) =>
    tensorFromFloat32(
      values.length === 1 ? [] : [values.length, ...dims.slice(2).map(() => 1)],
      values,
    )
  const scale = writer.insert(node, {
    opType: 'Mul',
    name: 'f',
    inputs: [x.scale, writer.addInitializer('s', perChannel(weight.scales))],
  })
  if (layer.bias === undefined) {
    editor.replaceNode(node, { opType: 'Mul', name: node.name, inputs: [floats, scale] })
  } else {
    const scaled = writer.insert(node, { opType: 'Mul', name: 'y', inputs: [floats, scale] })
    const bias = writer.addInitializer('b', perChannel(toFloat32(layer.bias)))
    editor.replaceNode(node, { opType: 'Add', name: node.name, inputs: [scaled, bias] })
  }
  return { weightName, weight }
}
