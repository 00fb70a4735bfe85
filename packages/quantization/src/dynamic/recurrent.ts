// GRU and RNN have no integer kernel in onnxruntime. By request their weights are stored as int8, with
// one scale per row, and dequantized in each run: a quarter of the size, and slower.
import { attr, type GraphIndex, type Node } from '@pare/graph'
import { type Layer, readLayer } from '@pare/ops'
import { type WhyNot, whyNot } from '@pare/recipe'
import { type Tensor, tensorFromInts, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import { int8Tensor } from '../writing/written-constants.js'
import type { DynamicWriter } from './operand.js'

/** W [directions, rows, inputs] and R [directions, rows, hidden]. */
export type RecurrentWeights = readonly [Layer['weight'], Layer['weight']]

export function recurrentWeights(node: Node, index: GraphIndex): RecurrentWeights | WhyNot {
  const layer = readLayer(node, index)
  const isLayer = layer !== undefined && !('reason' in layer)
  const [w, r] = isLayer ? [layer.weight, ...layer.furtherWeights] : []
  return w?.tensor.dataType === 'float32' && r?.tensor.dataType === 'float32'
    ? [w, r]
    : whyNot('weight_not_constant', 'its weights are not float32 initializers')
}

/** Returns the names of the int8 weights. */
export function storeRecurrent(
  writer: DynamicWriter,
  node: Node,
  weights: RecurrentWeights,
): readonly string[] {
  return weights.map(({ input, name, tensor: weight }) => {
    const { dims } = weight
    const written = writer.weight(`rows ${name}`, () => writeRows(writer, weight))
    const rows = writer.insert(node, {
      opType: 'DequantizeLinear',
      name: 'w',
      inputs: [written.values, written.scales],
      attributes: { axis: attr.int(0) },
    })
    const shaped = writer.insert(node, {
      opType: 'Reshape',
      name: 'w',
      inputs: [rows, writer.weight(`shape ${dims.join()}`, () => shapeOf(writer, dims))],
    })
    writer.editor.setInput(node, input, shaped)
    return written.values
  })
}

function writeRows(writer: DynamicWriter, weight: Tensor) {
  const [directions, rows, columns] = weight.dims as [number, number, number]
  const dims = [directions * rows, columns]
  const axis = writer.perChannel ? 0 : undefined
  // The full range: they are multiplied as floats, so nothing can saturate.
  const { data, scales } = quantizeWeight(toFloat32(weight), dims, { axis, range: 'full' })
  return {
    values: writer.addInitializer('w', int8Tensor(dims, data)),
    scales: writer.scalars.scales(scales),
  }
}

function shapeOf(writer: DynamicWriter, dims: readonly number[]): string {
  return writer.addInitializer('shape', tensorFromInts('int64', [dims.length], dims))
}
