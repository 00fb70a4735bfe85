// Operators that exporters wrote as several primitive ones. Their inner values have ranges that 8
// bits cannot hold (squares, exponentials, masks of −10,000), so all of their nodes stay float:
//   LayerNormalization  ReduceMean, Sub, Pow or Mul, ReduceMean, Add, Sqrt, Div or Reciprocal and Mul,
//                       then Mul and Add of constants; without Sub the RMS form; all opsets
//   Gelu                Erf((x / √2)) or Tanh(√(2/π) (x + 0.0447 x³)), Add 1, Mul x, Mul 0.5
//   Softmax             ReduceMax, Sub, Exp, ReduceSum, Div
//   attention mask      Add or Where of a great negative constant before Softmax
import { type GraphIndex, indexGraph, type Model, type Node } from '@pare/graph'
import { toFloat32 } from '@pare/tensor'

import { besideScalar, isNear, isOne, isSame, madeBy, readers, scalarOf } from './walk.js'

export type PatternName = 'LayerNormalization' | 'Gelu' | 'Softmax' | 'attention mask'

/** Each node that is part of a pattern, and of which. */
export function decomposedPatterns({ graph }: Model): ReadonlyMap<Node, PatternName> {
  const index = indexGraph(graph)
  const found = new Map<Node, PatternName>()
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    const match = matchAt(node, index)
    for (const part of match?.parts ?? []) {
      if (!found.has(part)) found.set(part, match!.name)
    }
  }
  return found
}

interface Match {
  readonly name: PatternName
  readonly parts: readonly Node[]
}

function matchAt(node: Node, index: GraphIndex): Match | undefined {
  const match = (name: PatternName, parts: readonly Node[] | undefined): Match | undefined =>
    parts === undefined ? undefined : { name, parts }
  switch (node.opType) {
    case 'Sqrt':
      return match('LayerNormalization', layerNorm(node, index))
    case 'Erf':
    case 'Tanh':
      return match('Gelu', gelu(node, index))
    case 'Exp':
      return match('Softmax', softmax(node, index))
    case 'Softmax':
      return match('attention mask', attentionMask(node, index))
    default:
      return undefined
  }
}

/** From the root of the variance: back to x, and on to the constant that is added last. */
function layerNorm(sqrt: Node, index: GraphIndex): readonly Node[] | undefined {
  const add = madeBy(sqrt.inputs[0], ['Add'], index)
  const variance = add?.inputs.map((input) => madeBy(input, ['ReduceMean'], index)).find(Boolean)
  const square = madeBy(variance?.inputs[0], ['Pow', 'Mul'], index)
  if (add === undefined || variance === undefined || square === undefined) return undefined
  if (!isSquare(square, index)) return undefined
  const parts = [square, variance, add, sqrt]
  const sub = madeBy(square.inputs[0], ['Sub'], index)
  const mean = madeBy(sub?.inputs[1], ['ReduceMean'], index)
  const isCentred = sub !== undefined && isSame(mean?.inputs[0], sub.inputs[0], index)
  if (isCentred) parts.unshift(mean!, sub)
  return [...parts, ...normalization(parts, isCentred ? sub.inputs[0]! : square.inputs[0]!, index)]
}

function isSquare(node: Node, index: GraphIndex): boolean {
  const [a, b] = node.inputs
  return node.opType === 'Pow' ? scalarOf(b, index) === 2 : isSame(a, b, index)
}

const SCALING = ['Div', 'Reciprocal', 'Mul', 'Sub', 'Add', 'Cast']

/**
 * What is computed from the parts, x and constants alone, up to the first Add:
 * (x − mean) / √… · γ + β, or in TensorFlow's order x · γ/√… + (β − mean · γ/√…).
 */
function normalization(parts: readonly Node[], x: string, index: GraphIndex): readonly Node[] {
  const inside = new Set(parts.flatMap(({ outputs }) => outputs))
  const isKnown = (input: string) =>
    inside.has(input) || input === x || index.constant(input) !== undefined
  const found = new Set<Node>()
  let queue = [...inside]
  while (queue.length > 0) {
    const added: string[] = []
    for (const node of queue.flatMap((value) => index.consumers(value))) {
      if (parts.includes(node) || found.has(node) || !isOne(node, SCALING)) continue
      if (!node.inputs.every(isKnown)) continue
      found.add(node)
      if (node.opType !== 'Add') added.push(node.outputs[0]!)
    }
    added.forEach((value) => inside.add(value))
    // A node that lacked one of its inputs is looked at again.
    queue = added.length === 0 ? [] : [...inside]
  }
  return [...found]
}

/** From Erf or Tanh on: + 1, · x, and · 0.5 before or after. */
function gelu(curve: Node, index: GraphIndex): readonly Node[] | undefined {
  const plusOne = onlyReader(curve, 'Add', index)
  if (plusOne === undefined || !isNear(besideScalar(plusOne, index)?.[1], 1)) return undefined
  const first = onlyReader(plusOne, 'Mul', index)
  if (first === undefined) return undefined
  const second = onlyReader(first, 'Mul', index)
  const isHalved = isHalf(first, index)
  const product = isHalved ? second : first
  if (product === undefined) return undefined
  const behind = [first, second].filter(
    (node) => node !== undefined && (node === product || isHalf(node, index)),
  ) as readonly Node[]
  const inner = [plusOne, first].flatMap(({ outputs }) => outputs)
  const factor = product.inputs.find((input) => !inner.includes(input)) ?? ''
  const half = madeBy(factor, ['Mul'], index)
  const halves = half !== undefined && isHalf(half, index) ? [half] : []
  const x = [factor, ...halves.map((node) => besideScalar(node, index)![0])]
  const before = argument(curve, x, index)
  return before === undefined ? undefined : [...before, ...halves, curve, plusOne, ...behind]
}

function onlyReader(node: Node, opType: string, index: GraphIndex): Node | undefined {
  const [reader, ...others] = readers(node, index)
  return reader !== undefined && others.length === 0 && isOne(reader, [opType]) ? reader : undefined
}

function isHalf(node: Node, index: GraphIndex): boolean {
  return isNear(besideScalar(node, index)?.[1], 0.5)
}

const MAX_ARGUMENT = 8

/** What computes the curve's argument from x: everything back to one of the values `ends`. */
function argument(
  curve: Node,
  ends: readonly string[],
  index: GraphIndex,
): readonly Node[] | undefined {
  const found = new Set<Node>()
  const queue = [...curve.inputs]
  let reached = false
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    if (index.constant(value) !== undefined) continue
    if (ends.includes(value)) {
      reached = true
      continue
    }
    const node = index.producer(value)
    if (node === undefined || !isOne(node, ['Mul', 'Div', 'Add', 'Pow', 'Cast'])) return undefined
    found.add(node)
    if (found.size > MAX_ARGUMENT) return undefined
    queue.push(...node.inputs)
  }
  return reached && found.size > 0 ? [...found].reverse() : undefined
}

function softmax(exp: Node, index: GraphIndex): readonly Node[] | undefined {
  const sum = readers(exp, index).find((node) => isOne(node, ['ReduceSum']))
  const div = readers(exp, index).find(
    (node) => isOne(node, ['Div']) && isSame(node.inputs[1], sum?.outputs[0], index),
  )
  if (sum === undefined || div === undefined) return undefined
  const sub = madeBy(exp.inputs[0], ['Sub'], index)
  const max = madeBy(sub?.inputs[1], ['ReduceMax'], index)
  return [max, sub, exp, sum, div].filter((node) => node !== undefined)
}

/** Masks are −10,000, the least float, or −∞. */
const MASKED = -1000

function attentionMask(softmaxNode: Node, index: GraphIndex): readonly Node[] | undefined {
  const join = madeBy(softmaxNode.inputs[0], ['Add', 'Where'], index)
  if (join === undefined) return undefined
  const masks = join.inputs
    .map((input) => maskOf(input, index))
    .filter((mask) => mask !== undefined)
  return masks.length === 0 ? undefined : [...masks.flat(), join]
}

/** The nodes that make a mask: (1 − m) · −10,000 and what moves it. */
function maskOf(value: string, index: GraphIndex): readonly Node[] | undefined {
  if (isMasking(value, index)) return []
  const node = madeBy(value, ['Mul', 'Where', 'Unsqueeze', 'Reshape', 'Expand', 'Slice'], index)
  if (node === undefined) return undefined
  const isMask = isOne(node, ['Mul', 'Where'])
    ? node.inputs.some((input) => isMasking(input, index))
    : maskOf(node.inputs[0]!, index) !== undefined
  if (!isMask) return undefined
  const sub = isOne(node, ['Mul'])
    ? node.inputs.map((input) => madeBy(input, ['Sub'], index)).filter((one) => one !== undefined)
    : []
  return [...sub, node]
}

function isMasking(value: string, index: GraphIndex): boolean {
  const tensor = index.constant(value)
  if (tensor?.dataType !== 'float32' || tensor.data.kind !== 'bytes') return false
  return toFloat32(tensor).some((x) => x <= MASKED)
}
