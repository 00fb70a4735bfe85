// Convolutions. Weights: Conv [M, C/group, k…], ConvTranspose [C, M/group, k…] (ONNX opset 11).
import type { Node } from '@pare/graph'

import type { OpFacts, ShapeOf } from './op-facts.js'
import { product } from './sizes.js'

export const conv = {
  family: 'convolution',
  weightInput: 1,
  biasInput: 2,
  outChannelAxis: () => 0,
  inChannelAxis: () => 1,
  integerKernel: 'needs_output',
  dataInputs: [0],
  macs: (node, shapeOf) => convMacs(node, shapeOf, 1),
  layer: { kind: 'convolution', channelAxis: 1, dataRank: 'weight', perGroup: 'input' },
} satisfies OpFacts

// No integerKernel: onnxruntime has none for ConvTranspose.
export const convTranspose = {
  family: 'convolution',
  weightInput: 1,
  biasInput: 2,
  // With group > 1 output channel m is column m mod (M/group) of the weight, so one scale per index
  // of axis 1 covers `group` channels.
  outChannelAxis: () => 1,
  inChannelAxis: () => 0,
  dataInputs: [0],
  macs: convTransposeMacs,
  layer: { kind: 'convolution', channelAxis: 1, dataRank: 'weight', perGroup: 'output' },
} satisfies OpFacts

export const convInteger = {
  family: 'convolution',
  weightInput: 1,
  outChannelAxis: () => 0,
  inChannelAxis: () => 1,
  dataInputs: [0],
  macs: (node, shapeOf) => convMacs(node, shapeOf, 1),
} satisfies OpFacts

export const qLinearConv = {
  family: 'convolution',
  weightInput: 3,
  biasInput: 8,
  outChannelAxis: () => 0,
  inChannelAxis: () => 1,
  dataInputs: [0],
  macs: (node, shapeOf) => convMacs(node, shapeOf, 3),
} satisfies OpFacts

export const deformConv = {
  family: 'convolution',
  weightInput: 1,
  biasInput: 3,
  outChannelAxis: () => 0,
  inChannelAxis: () => 1,
  dataInputs: [0],
  macs: (node, shapeOf) => convMacs(node, shapeOf, 1),
} satisfies OpFacts

/** Each output element sums over C/group · k… products: the weight's size without its first axis. */
function convMacs(node: Node, shapeOf: ShapeOf, weightInput: number): number | undefined {
  const weight = shapeOf(node.inputs[weightInput] ?? '')
  const output = shapeOf(node.outputs[0] ?? '')
  if (weight === undefined || output === undefined) return undefined
  return product(output) * product(weight.slice(1))
}

/** Each input element is multiplied with M/group · k… weights (before padding is cut off). */
function convTransposeMacs(node: Node, shapeOf: ShapeOf): number | undefined {
  const weight = shapeOf(node.inputs[1] ?? '')
  const input = shapeOf(node.inputs[0] ?? '')
  if (weight === undefined || input === undefined) return undefined
  return product(input) * product(weight.slice(1))
}
