// MatMul and Gemm with integers made at run time:
//   y = float(MatMulInteger(q(x), W)) · (s_x · s_w) [+ bias]
// in exactly the form that onnxruntime fuses to DynamicQuantizeMatMul (one reader of q(x)) or
// MatMulIntegerToFloat (several).
import { attr, type Node } from '@pare/graph'
import { tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import type { WeightedLayer } from '../layers/layer-weight.js'
import { int8Tensor } from '../writing/written-constants.js'
import type { DynamicWriter, WrittenWeight } from './operand.js'

/** TensorProto.FLOAT, the `to` of Cast. */
const FLOAT = 1

export function rewriteMatMul(writer: DynamicWriter, layer: WeightedLayer): WrittenWeight {
  const { node } = layer
  const { scalars } = writer
  const x = writer.operand(node.inputs[0]!, node)
  const key = ['matmul', layer.weightName, layer.axis, layer.weightFactor].join(' ')
  const { weightName, weight } = writer.weight(key, () => writeWeight(writer, layer))
  const product = writer.insert(node, {
    opType: 'MatMulInteger',
    name: 'm',
    inputs: [x.values, weightName, x.zeroPoint, scalars.zeros(weight.scales.length)],
  })
  const floats = castToFloat(writer, node, product)
  const scale = writer.insert(node, {
    opType: 'Mul',
    name: 'f',
    inputs: [x.scale, scalars.scales(weight.scales)],
  })
  finish(writer, layer, { floats, scale })
  return { weightName, weight }
}

function writeWeight(writer: DynamicWriter, layer: WeightedLayer): WrittenWeight {
  const { dims, values } = matMulWeight(layer)
  const axis = writer.perChannel ? dims.length - 1 : undefined
  const weight = quantizeWeight(values, dims, { axis, range: writer.weightRange })
  return { weightName: writer.addInitializer('w', int8Tensor(dims, weight.data)), weight }
}

export function castToFloat(writer: DynamicWriter, before: Node, value: string): string {
  return writer.insert(before, {
    opType: 'Cast',
    name: 'i',
    inputs: [value],
    attributes: { to: attr.int(FLOAT) },
  })
}

function finish(
  writer: DynamicWriter,
  layer: WeightedLayer,
  { floats, scale }: { readonly floats: string; readonly scale: string },
): void {
  const { node, bias, biasFactor } = layer
  const { editor } = writer
  if (bias === undefined) {
    editor.replaceNode(node, { opType: 'Mul', name: node.name, inputs: [floats, scale] })
    return
  }
  const scaled = writer.insert(node, { opType: 'Mul', name: 'y', inputs: [floats, scale] })
  const values = toFloat32(bias)
  const vector = tensorFromFloat32(
    [values.length],
    biasFactor === 1 ? values : values.map((value) => value * biasFactor),
  )
  const biasName = writer.addInitializer('b', vector)
  editor.replaceNode(node, { opType: 'Add', name: node.name, inputs: [scaled, biasName] })
}

/** The weight as MatMulInteger wants it, […, K, N], with Gemm's alpha applied. */
function matMulWeight(layer: WeightedLayer): { dims: readonly number[]; values: Float32Array } {
  const { dims } = layer.weight
  const raw = toFloat32(layer.weight)
  const factor = layer.weightFactor
  const values = factor === 1 ? raw : raw.map((value) => value * factor)
  if (layer.inputAxis < layer.axis) return { dims, values }
  const [n, k] = [dims[0]!, dims[1]!]
  const transposed = new Float32Array(values.length)
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < k; column++) {
      transposed[column * n + row] = values[row * k + column]!
    }
  }
  return { dims: [k, n], values: transposed }
}
