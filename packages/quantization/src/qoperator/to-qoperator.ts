// From QDQ to QOperator: DequantizeLinear → op → QuantizeLinear becomes one operator on integers.
// The integers stay the same; the graph has fewer nodes and needs no optimizer to be fast. Rules:
// 1. An operator with a linear form takes it where all its data inputs are dequantized.
// 2. One that only moves data does so on the integers, where both sides have the same parameters.
// 3. What has neither stays as it is, between DequantizeLinear and QuantizeLinear.
// 4. Q and DQ that nothing needs any more go.
import {
  editGraph,
  type GraphEditor,
  type Model,
  type Node,
  onnxOpset,
  type Pass,
} from '@pare/graph'
import { layerWeight, opFacts, opRow, sharesQuantization } from '@pare/ops'
import { toFloat32 } from '@pare/tensor'

import { withMicrosoftOps } from '../writing/microsoft-ops.js'
import { removeUnused, ScalarPool } from '../writing/written-constants.js'
import {
  dequantized,
  dequantizedBias,
  equalScalars,
  type Quantization,
  quantization,
  type Quantized,
} from './dequantized.js'
import { type LinearForm, linearFormTable, type Operands } from './linear-form-table.js'

export function toQOperator(): Pass {
  return { name: 'to_qoperator', run }
}

function run(model: Model) {
  const editor = editGraph(model)
  const pool = new ScalarPool(editor)
  const opset = onnxOpset(model)
  let modified = false
  for (const node of editor.nodes()) {
    if (node.domain !== '') continue
    const done =
      rewriteArithmetic(editor, pool, { node, opset }) || rewriteMover(editor, node, opset)
    modified ||= done
  }
  if (!modified) return { model, modified, diagnostics: [] }
  removeUnread(editor)
  return { model: withMicrosoftOps(editor.finish()), modified, diagnostics: [] }
}

interface Subject {
  readonly node: Node
  readonly opset: number
}

function rewriteArithmetic(editor: GraphEditor, pool: ScalarPool, subject: Subject): boolean {
  const { node } = subject
  const formOf = opRow(linearFormTable, node)
  if (formOf === undefined) return false
  const operands = readOperands(editor, pool, subject)
  const form = operands === undefined ? undefined : formOf(operands)
  if (operands === undefined || form === undefined) return false
  replace(editor, node, { form, output: operands.output })
  return true
}

function readOperands(
  editor: GraphEditor,
  pool: ScalarPool,
  { node, opset }: Subject,
): Operands | undefined {
  const { weightInput, biasInput } = opFacts(node) ?? {}
  const quantized = node.inputs.map((input, i) => {
    const value = i === biasInput ? undefined : dequantized(input, editor)
    return value?.axis === undefined || (i === weightInput && isPerChannel(node, value, editor))
      ? value
      : undefined
  })
  const biasName = biasInput === undefined ? '' : (node.inputs[biasInput] ?? '')
  const bias = biasName === '' ? undefined : dequantizedBias(biasName, editor)
  if (biasName !== '' && (bias === undefined || !isImplied(bias, quantized, editor)))
    return undefined
  return {
    node,
    quantized,
    output: quantization(node.outputs[0]!, editor),
    bias,
    opset,
    zeros: (value) => zerosOf(editor, pool, value),
  }
}

/** Whether the scales lie along the output channels, the only axis that kernels know. */
function isPerChannel(node: Node, value: Quantized, editor: GraphEditor): boolean {
  const rank = editor.constant(value.integers)?.dims.length
  return rank !== undefined && layerWeight(node, rank)?.outChannelAxis === value.axis
}

/** The operators take a bias to be in units of s_x · s_w. */
function isImplied(
  bias: Quantized,
  [x, w]: readonly (Quantized | undefined)[],
  editor: GraphEditor,
): boolean {
  if (x === undefined || w === undefined || bias.zeroPoint !== undefined) return false
  const scales = ({ scale }: Quantized) => toFloat32(editor.constant(scale)!)
  const [input, weights, stated] = [scales(x)[0]!, scales(w), scales(bias)]
  return weights.every((weight, channel) => {
    const scale = Math.fround(input * weight)
    return Math.abs(stated[stated.length === 1 ? 0 : channel]! - scale) <= 1e-6 * scale
  })
}

function zerosOf(editor: GraphEditor, pool: ScalarPool, { integers, axis }: Quantized): string {
  const { dataType, dims } = editor.constant(integers)!
  return pool.zeros(axis === undefined ? 1 : dims[axis]!, dataType === 'uint8' ? 'uint8' : 'int8')
}

interface Replacement {
  readonly form: LinearForm
  readonly output: Quantization | undefined
}

/** The node keeps its name: the report finds its kernel by it. */
function replace(editor: GraphEditor, node: Node, { form, output }: Replacement): void {
  const outputs = output === undefined ? node.outputs : takeOver(editor, [output])
  editor.updateNode(node, { ...form, outputs })
}

/** The outputs of QuantizeLinear nodes, which go. */
function takeOver(editor: GraphEditor, list: readonly Quantization[]): readonly string[] {
  return list.map(({ node }) => {
    editor.removeNode(node)
    return node.outputs[0]!
  })
}

function rewriteMover(editor: GraphEditor, node: Node, opset: number): boolean {
  if (!sharesQuantization(node, opset)) return false
  const input = dequantized(node.inputs[0] ?? '', editor)
  if (input?.zeroPoint === undefined || input.axis !== undefined) return false
  const outputs = node.outputs.map((output) => quantization(output, editor))
  const isMoved = outputs.every(
    (output) =>
      output !== undefined &&
      equalScalars(output.scale, input.scale, editor) &&
      equalScalars(output.zeroPoint, input.zeroPoint!, editor),
  )
  if (!isMoved) return false
  const [, ...others] = node.inputs
  editor.updateNode(node, {
    inputs: [input.integers, ...others],
    outputs: takeOver(editor, outputs as readonly Quantization[]),
  })
  return true
}

function removeUnread(editor: GraphEditor): void {
  for (const node of editor.nodes().toReversed()) {
    if (node.opType !== 'DequantizeLinear' && node.opType !== 'QuantizeLinear') continue
    if (!editor.isUsed(node.outputs[0]!)) editor.removeNode(node)
  }
  removeUnused(editor)
}
