// LSTM becomes com.microsoft DynamicQuantizeLSTM: int8 weights, inputs and hidden state quantized at
// run time. The kernel wants W and R transposed to [directions, input, 4·hidden], one scale per
// column.
import { type GraphIndex, intAttribute, type Node, stringsAttribute } from '@pare/graph'
import { type WhyNot, whyNot } from '@pare/recipe'
import { type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'

import { quantizeWeight } from '../integers/quantize-weight.js'
import { declareOutputs } from '../writing/microsoft-ops.js'
import { int8Tensor } from '../writing/written-constants.js'
import type { DynamicWriter } from './operand.js'
import { recurrentWeights } from './recurrent.js'

export interface LstmWeights {
  readonly w: Tensor
  readonly r: Tensor
}

export function lstmWeights(node: Node, index: GraphIndex): LstmWeights | WhyNot {
  const weights = recurrentWeights(node, index)
  if ('reason' in weights) return weights
  if (intAttribute(node, 'layout', 0) !== 0) {
    return whyNot('gemm_form', 'the integer LSTM kernel knows only layout 0')
  }
  const usual = new Set(['sigmoid', 'tanh'])
  const activations = stringsAttribute(node, 'activations', [])
  return activations.every((name) => usual.has(name.toLowerCase()))
    ? { w: weights[0].tensor, r: weights[1].tensor }
    : whyNot('gemm_form', `its activations are ${activations.join(', ')}`)
}

/** Inputs of the operator before W's scale: X, W, R, B, lengths, initial_h, initial_c, P. */
const FLOAT_INPUTS = 8

/** Returns the names of the two int8 weights. */
export function rewriteLstm(
  writer: DynamicWriter,
  node: Node,
  { w, r }: LstmWeights,
): readonly [string, string] {
  const written = (position: number, weight: Tensor) =>
    writer.weight(`lstm ${node.inputs[position]!}`, () => writeWeight(writer, weight))
  const [quantizedW, quantizedR] = [written(1, w), written(2, r)]
  const attributes = new Map(node.attributes)
  attributes.delete('layout')
  const inputs = Array.from({ length: FLOAT_INPUTS }, (_, i) => node.inputs[i] ?? '')
  inputs[1] = quantizedW.values
  inputs[2] = quantizedR.values
  writer.editor.replaceNode(node, {
    opType: 'DynamicQuantizeLSTM',
    domain: 'com.microsoft',
    name: node.name,
    inputs: [
      ...inputs,
      quantizedW.scale,
      quantizedW.zeroPoint,
      quantizedR.scale,
      quantizedR.zeroPoint,
    ],
    outputs: node.outputs,
    attributes,
  })
  declareOutputs(writer.editor, node.outputs)
  return [quantizedW.values, quantizedR.values]
}

interface WrittenWeight {
  readonly values: string
  readonly scale: string
  readonly zeroPoint: string
}

function writeWeight(writer: DynamicWriter, weight: Tensor): WrittenWeight {
  const [directions, columns, rows] = weight.dims as [number, number, number]
  const { data, scales } = transposeColumns(weight, writer)
  const dims = [directions, columns]
  return {
    values: writer.addInitializer('w', int8Tensor([directions, rows, columns], data)),
    scale: writer.addInitializer('s', tensorFromFloat32(dims, scales)),
    zeroPoint: writer.addInitializer('z', int8Tensor(dims, new Int8Array(directions * columns))),
  }
}

/** Quantizes each direction's [4·hidden, input] by rows and stores it transposed. */
function transposeColumns(weight: Tensor, writer: DynamicWriter) {
  const [directions, columns, rows] = weight.dims as [number, number, number]
  const values = toFloat32(weight)
  const size = columns * rows
  const data = new Int8Array(values.length)
  const scales = new Float32Array(directions * columns)
  for (let direction = 0; direction < directions; direction++) {
    const part = quantizeWeight(
      values.subarray(direction * size, (direction + 1) * size),
      [columns, rows],
      { axis: 0, range: writer.weightRange },
    )
    scales.set(part.scales, direction * columns)
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < rows; row++) {
        data[direction * size + row * columns + column] = part.data[column * rows + row]!
      }
    }
  }
  return { data, scales }
}
