// Matrix products. Weights: Gemm [K, N] (or [N, K] with transB), MatMul […, K, N].
import { intAttribute, type Node, stringAttribute } from '@pare/graph'

import type { OpFacts, ShapeOf } from './op-facts.js'
import { product } from './sizes.js'

export const gemm = {
  family: 'matmul',
  weightInput: 1,
  biasInput: 2,
  outChannelAxis: (node) => (isTransposed(node) ? 0 : 1),
  inChannelAxis: (node) => (isTransposed(node) ? 1 : 0),
  integerKernel: 'any_output',
  dataInputs: [0, 1],
  macs: gemmMacs,
  layer: { kind: 'matrix', channelAxis: -1, dataRank: 2 },
} satisfies OpFacts

// The weight may also be input 0; readers that care look at which input is an initializer. The axis
// is the last one: [B, K, N] weights have no output channels on axis 1. Only FusedMatMul has transB.
export const matMul = {
  family: 'matmul',
  weightInput: 1,
  outChannelAxis: (node, rank) => Math.max(rank - (isTransposed(node) ? 2 : 1), 0),
  inChannelAxis: (node, rank) => Math.max(rank - (isTransposed(node) ? 1 : 2), 0),
  integerKernel: 'any_output',
  macs: matMulMacs,
  layer: { kind: 'matrix', channelAxis: -1, isProduct: true },
} satisfies OpFacts

export const matMulInteger = {
  family: 'matmul',
  weightInput: 1,
  outChannelAxis: (_node, rank) => Math.max(rank - 1, 0),
  inChannelAxis: (_node, rank) => Math.max(rank - 2, 0),
  dataInputs: [0, 1],
  macs: matMulMacs,
} satisfies OpFacts

export const qLinearMatMul = {
  family: 'matmul',
  weightInput: 3,
  outChannelAxis: (_node, rank) => Math.max(rank - 1, 0),
  inChannelAxis: (_node, rank) => Math.max(rank - 2, 0),
  dataInputs: [0, 3],
  macs: matMulMacs,
} satisfies OpFacts

export const einsum = { family: 'matmul', macs: einsumMacs } satisfies OpFacts

/** com.microsoft: A [M, K] × packed weight of K × N (attributes). */
export const matMulNBits = {
  family: 'matmul',
  weightInput: 1,
  biasInput: 5,
  outChannelAxis: () => 0,
  inChannelAxis: () => 1,
  dataInputs: [0],
  macs: matMulMacs,
} satisfies OpFacts

function isTransposed(node: Node): boolean {
  return intAttribute(node, 'transB', 0) === 1
}

function gemmMacs(node: Node, shapeOf: ShapeOf): number | undefined {
  const a = shapeOf(node.inputs[0] ?? '')
  const output = shapeOf(node.outputs[0] ?? '')
  const k = a?.[intAttribute(node, 'transA', 0) === 1 ? 0 : 1]
  return output === undefined || k === undefined ? undefined : product(output) * k
}

/** Each output element sums over K, the last axis of A. */
function matMulMacs(node: Node, shapeOf: ShapeOf): number | undefined {
  const k = shapeOf(node.inputs[0] ?? '')?.at(-1)
  const output = shapeOf(node.outputs[0] ?? '')
  return output === undefined || k === undefined ? undefined : product(output) * k
}

/** The product of the sizes of all distinct letters: each combination is one multiply-accumulate. */
function einsumMacs(node: Node, shapeOf: ShapeOf): number | undefined {
  const equation = (stringAttribute(node, 'equation') ?? '').replaceAll(' ', '')
  const terms = equation.split('->')[0]?.split(',') ?? []
  const sizes = new Map<string, number>()
  for (const [index, term] of terms.entries()) {
    const dims = shapeOf(node.inputs[index] ?? '')
    if (dims === undefined || term.includes('.') || term.length !== dims.length) return undefined
    for (const [axis, letter] of Array.from(term).entries()) {
      sizes.set(letter, Math.max(sizes.get(letter) ?? 1, dims[axis] ?? 1))
    }
  }
  return product([...sizes.values()])
}
