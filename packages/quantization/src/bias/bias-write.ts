// Adding a shift per output channel to the bias of a layer: in the float model, which is quantized
// again, and in a quantized one, where only the layers behind it are to see the effect.
import { editGraph, type GraphEditor, type Model, type Node } from '@pare/graph'
import { type Tensor, tensorFromFloat32, tensorFromInts, toFloat32 } from '@pare/tensor'

import { INT32_MAX } from '../integers/integer-type.js'
import { quantizeBias } from '../integers/quantize-weight.js'
import type { Addition, IntegerLayer } from '../layers/integer-layers.js'
import { removeUnused } from '../writing/written-constants.js'

export interface Shift {
  readonly layer: IntegerLayer
  /** Per output channel. */
  readonly values: Float64Array
}

/** Whether there is a place for a shift: a MatMul has none unless a constant is added to it. */
export function hasBiasPlace({ float, addition }: IntegerLayer): boolean {
  return float.node.opType !== 'MatMul' || addition !== undefined
}

/** The layer's bias as the kernel adds it, Gemm's beta applied; zeros where it has none. */
function biasOf({ float, addition }: IntegerLayer): Float64Array {
  const tensor = addition?.constant ?? float.bias
  if (tensor === undefined) return new Float64Array(float.channels)
  const values = toFloat32(tensor)
  const factor = float.biasFactor
  return Float64Array.from({ length: float.channels }, (_, channel) => {
    return values[values.length === 1 ? 0 : channel]! * factor
  })
}

/**
 * The shift without the channels that cannot take it: a bias must fit into int32 in units of
 * s_x · s_w, or quantization would coarsen the weights of the channel to make room.
 */
export function fittingShift(layer: IntegerLayer, shift: Float64Array): Float64Array {
  if (hasFloatBias(layer)) return shift
  const bias = biasOf(layer)
  const { scales } = layer.integers
  const inputScale = layer.report.input?.scale ?? 0
  return shift.map((value, channel) => {
    const unit = inputScale * scales[scales.length === 1 ? 0 : channel]!
    return Math.abs(bias[channel]! + value) * MARGIN <= INT32_MAX * unit ? value : 0
  })
}

/** What is added to a MatMul stays float, and so does the bias of a weight in blocks. */
function hasFloatBias({ integers, weightReport }: IntegerLayer): boolean {
  return integers.node.opType === 'MatMul' || weightReport.granularity === 'blocked'
}

/** As `minScalesForBias`, and a little more: the shift must not bring a channel to its limit. */
const MARGIN = 1.001

/** The float model with the shifts in its biases. Weights, names of values and shapes stay. */
export function withShifts(model: Model, shifts: readonly Shift[]): Model {
  if (shifts.length === 0) return model
  const editor = editGraph(model)
  for (const shift of shifts) addShift(editor, shift)
  removeUnused(editor)
  return editor.finish()
}

/** Puts a shift into the bias of a float layer. */
export function addShift(editor: GraphEditor, shift: Shift): void {
  const { addition, float } = shift.layer
  const bias = shiftedBias(shift)
  if (addition !== undefined) setAddend(editor, addition, bias)
  else setBias(editor, float.node, { position: float.biasInput, bias, like: float.bias })
}

function shiftedBias({ layer, values }: Shift): Float32Array {
  return Float32Array.from(biasOf(layer), (bias, channel) => bias + values[channel]!)
}

function setAddend(editor: GraphEditor, { node, input, constant }: Addition, bias: Float32Array) {
  const dims = [...constant.dims.slice(0, -1), bias.length]
  const name = editor.addInitializer(node.inputs[input]!, tensorFromFloat32(dims, bias))
  editor.setInput(node, input, name)
}

interface BiasPlace {
  readonly position: number
  readonly bias: Float32Array
  readonly like: Tensor | undefined
}

function setBias(editor: GraphEditor, node: Node, { position, bias, like }: BiasPlace): void {
  const dims = like?.dims ?? [bias.length]
  const hint = node.inputs[position] ?? ''
  const name = editor.addInitializer(hint === '' ? 'bias' : hint, tensorFromFloat32(dims, bias))
  const attributes = new Map(editor.setInput(node, position, name).attributes)
  // It is in the bias now.
  if (attributes.delete('beta')) editor.updateNode(node, { attributes })
}

/**
 * Puts shifts into a quantized model that is being edited: biases as the int32 values that
 * quantizing again would give. An added constant stays float, even where it is written in integers.
 */
export function shiftQuantized(editor: GraphEditor, shift: Shift): void {
  const { layer } = shift
  const bias = shiftedBias(shift)
  const { node, scales } = layer.integers
  if (node.opType === 'MatMul') {
    const place = additionBehind(editor, node)
    if (place === undefined) return
    const constant = tensorFromFloat32([bias.length], bias)
    editor.setInput(place.node, place.input, editor.addInitializer('bias', constant))
    return
  }
  if (hasFloatBias(layer)) {
    const name = editor.addInitializer('bias', tensorFromFloat32([bias.length], bias))
    editor.setInput(node, 2, name)
    return
  }
  const integers = quantizeBias(bias, layer.report.input!.scale, scales)
  if (integers === undefined) return
  const dequantized = editor.addNode({
    opType: 'DequantizeLinear',
    inputs: [
      editor.addInitializer('bias', tensorFromInts('int32', [bias.length], integers.data)),
      editor.addInitializer('scale', scaleTensor(integers.scales)),
    ],
    attributes: integers.scales.length > 1 ? { axis: { type: 'int', value: 0n } } : {},
  }).outputs[0]!
  editor.setInput(node, 2, dequantized)
}

function scaleTensor(scales: Float32Array): Tensor {
  return tensorFromFloat32(scales.length === 1 ? [] : [scales.length], scales)
}

/** The Add behind a quantized MatMul, perhaps behind the Q and DQ of its output. */
function additionBehind(
  editor: GraphEditor,
  matMul: Node,
): { readonly node: Node; readonly input: number } | undefined {
  let value = matMul.outputs[0]!
  for (;;) {
    const [node, ...others] = editor.consumers(value)
    if (node === undefined || others.length > 0) return undefined
    if (node.opType === 'Add') return { node, input: node.inputs[0] === value ? 1 : 0 }
    if (node.opType !== 'QuantizeLinear' && node.opType !== 'DequantizeLinear') return undefined
    value = node.outputs[0]!
  }
}
