// Conv with integers made at run time. Off by default: onnxruntime's ConvInteger is several times
// slower than its float Conv (0.15 of the speed of a small ResNet), so this buys size only.
import { tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { castToFloat } from './dynamic-matmul.js'
import type { DynamicWriter, WrittenWeight } from './dynamic-operand.js'
import type { WeightedLayer } from './layer-weight.js'
import { quantizeWeight } from './quantize-weight.js'
import { int8Tensor } from './written-constants.js'

export function rewriteConv(writer: DynamicWriter, layer: WeightedLayer): WrittenWeight {
  const { node } = layer
  const { editor } = writer
  const { dims } = layer.weight
  const axis = writer.perChannel ? layer.axis : undefined
  const weight = quantizeWeight(toFloat32(layer.weight), dims, { axis, range: writer.weightRange })
  const x = writer.operand(node.inputs[0]!, node)
  const weightName = editor.addInitializer('w', int8Tensor(dims, weight.data))
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
    inputs: [x.scale, editor.addInitializer('s', perChannel(weight.scales))],
  })
  if (layer.bias === undefined) {
    editor.replaceNode(node, { opType: 'Mul', name: node.name, inputs: [floats, scale] })
  } else {
    const scaled = writer.insert(node, { opType: 'Mul', name: 'y', inputs: [floats, scale] })
    const bias = editor.addInitializer('b', perChannel(toFloat32(layer.bias)))
    editor.replaceNode(node, { opType: 'Add', name: node.name, inputs: [scaled, bias] })
  }
  return { weightName, weight }
}
