// The operators that compute on integers with their scales as inputs, one row per ONNX operator.
// QLinearConv and QLinearMatMul are ONNX's (opset 10), the others onnxruntime's (contrib_defs.cc).
import { attr, type Attribute, floatAttribute, type Node } from '@pare/graph'
import { MICROSOFT_DOMAIN, type MicrosoftOpType, type OpTable, type OpType } from '@pare/ops'

import type { Quantization, Quantized } from './dequantized.js'

/** What a form may be made of. Inputs are in the order of the node's, '' and undefined if absent. */
export interface Operands {
  readonly node: Node
  /** Each input as integers; undefined where it is not dequantized. */
  readonly quantized: readonly (Quantized | undefined)[]
  /** Undefined: the output stays float. */
  readonly output: Quantization | undefined
  /** The int32 bias; undefined where the node has none. */
  readonly bias: Quantized | undefined
  readonly opset: number
  /** Name of zero points of 0, one per scale of `value`. */
  readonly zeros: (value: Quantized) => string
}

export interface LinearForm {
  readonly opType: OpType | MicrosoftOpType
  readonly domain: '' | typeof MICROSOFT_DOMAIN
  readonly inputs: readonly string[]
  readonly attributes: ReadonlyMap<string, Attribute>
}

/** Undefined where the operator has no form for these operands. */
type FormOf = (operands: Operands) => LinearForm | undefined

export const linearFormTable: OpTable<FormOf> = {
  Add: binary('QLinearAdd'),
  AveragePool: averagePool,
  Concat: concat,
  Conv: conv,
  Gemm: gemm,
  GlobalAveragePool: unary('QLinearGlobalAveragePool'),
  LeakyRelu: unary('QLinearLeakyRelu'),
  MatMul: matMul,
  Mul: binary('QLinearMul'),
  Sigmoid: unary('QLinearSigmoid'),
  Softmax: softmax,
  Where: where,
}

/** integers, scale, zero point. */
function triple(operands: Operands, input: number): readonly string[] | undefined {
  const value = operands.quantized[input]
  return value === undefined
    ? undefined
    : [value.integers, value.scale, value.zeroPoint ?? operands.zeros(value)]
}

function microsoft(
  operands: Operands,
  opType: MicrosoftOpType,
  inputs: readonly string[],
): LinearForm {
  return { opType, domain: MICROSOFT_DOMAIN, inputs, attributes: operands.node.attributes }
}

function unary(opType: MicrosoftOpType): FormOf {
  return (operands) => {
    const x = triple(operands, 0)
    const { output } = operands
    if (x === undefined || output === undefined) return undefined
    return microsoft(operands, opType, [...x, output.scale, output.zeroPoint])
  }
}

function binary(opType: MicrosoftOpType): FormOf {
  return (operands) => {
    const [a, b] = [triple(operands, 0), triple(operands, 1)]
    const { output } = operands
    if (a === undefined || b === undefined || output === undefined) return undefined
    return microsoft(operands, opType, [...a, ...b, output.scale, output.zeroPoint])
  }
}

/** onnxruntime's operator knows no dilations (opset 19). */
function averagePool(operands: Operands): LinearForm | undefined {
  const dilations = operands.node.attributes.get('dilations')
  if (dilations?.type === 'ints' && dilations.value.some((dilation) => dilation !== 1n)) {
    return undefined
  }
  const form = unary('QLinearAveragePool')(operands)
  if (form === undefined) return undefined
  const attributes = new Map(form.attributes)
  attributes.delete('dilations')
  return { ...form, attributes }
}

function concat(operands: Operands): LinearForm | undefined {
  const { node, output } = operands
  const inputs = node.inputs.map((_, i) => triple(operands, i))
  if (output === undefined || inputs.includes(undefined)) return undefined
  return microsoft(operands, 'QLinearConcat', [
    output.scale,
    output.zeroPoint,
    ...inputs.flatMap((input) => input!),
  ])
}

function softmax(operands: Operands): LinearForm | undefined {
  const form = unary('QLinearSoftmax')(operands)
  if (form === undefined) return undefined
  const { opset } = operands
  const axis = form.attributes.get('axis') ?? attr.int(opset < 13 ? 1 : -1)
  return {
    ...form,
    attributes: new Map([...form.attributes, ['axis', axis], ['opset', attr.int(opset)]]),
  }
}

function where(operands: Operands): LinearForm | undefined {
  const [x, y] = [triple(operands, 1), triple(operands, 2)]
  const { node, output } = operands
  if (x === undefined || y === undefined || output === undefined) return undefined
  return microsoft(operands, 'QLinearWhere', [
    node.inputs[0]!,
    ...x,
    ...y,
    output.scale,
    output.zeroPoint,
  ])
}

function conv(operands: Operands): LinearForm | undefined {
  const { node, output, bias } = operands
  const [x, w] = [triple(operands, 0), triple(operands, 1)]
  const axis = operands.quantized[1]?.axis ?? 0
  if (x === undefined || w === undefined || axis !== 0 || output === undefined) return undefined
  return {
    opType: 'QLinearConv',
    domain: '',
    inputs: [
      ...x,
      ...w,
      output.scale,
      output.zeroPoint,
      ...(bias === undefined ? [] : [bias.integers]),
    ],
    attributes: node.attributes,
  }
}

/** Without a quantized output the integer products are scaled into floats. */
function matMul(operands: Operands): LinearForm | undefined {
  const { node, output } = operands
  const [a, b] = [triple(operands, 0), triple(operands, 1)]
  if (a === undefined || b === undefined) return undefined
  if (output !== undefined) {
    const inputs = [...a, ...b, output.scale, output.zeroPoint]
    return { opType: 'QLinearMatMul', domain: '', inputs, attributes: node.attributes }
  }
  const [[x, xScale, xZero], [w, wScale, wZero]] = [a, b]
  return microsoft(operands, 'MatMulIntegerToFloat', [x!, w!, xScale!, wScale!, xZero!, wZero!])
}

/** The operator has no beta, and its alpha would not reach the bias. */
function gemm(operands: Operands): LinearForm | undefined {
  const { node, output, bias } = operands
  const [a, b] = [triple(operands, 0), triple(operands, 1)]
  if (a === undefined || b === undefined) return undefined
  if (floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1) {
    return undefined
  }
  const attributes = new Map(node.attributes)
  attributes.delete('beta')
  const written = output === undefined ? [] : [output.scale, output.zeroPoint]
  const inputs = [...a, ...b, bias?.integers ?? '', ...written]
  return {
    opType: 'QGemm',
    domain: MICROSOFT_DOMAIN,
    inputs: inputs.at(-1) === '' ? inputs.slice(0, -1) : inputs,
    attributes,
  }
}
