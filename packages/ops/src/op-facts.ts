// What the rest of the product needs to know about an operator, as one readonly row.
import type { Node } from '@pare/graph'

export const OP_FAMILIES = [
  'convolution',
  'matmul',
  'recurrent',
  'activation',
  'elementwise',
  'comparison',
  'reduction',
  'normalization',
  'pool',
  'layout',
  'selection',
  'quantization',
  'generator',
  'control_flow',
  'sequence',
  'other',
] as const

export type OpFamily = (typeof OP_FAMILIES)[number]

/** Dimensions of a value, where they are known. */
export type ShapeOf = (value: string) => readonly number[] | undefined

/**
 * How onnxruntime's CPU kernels compute DequantizeLinear → op → QuantizeLinear in integers.
 * `needs_output`: only when the output is quantized too. `any_output`: a float output is computed
 * from integers as well. Absent: Q/DQ around the op is pure cost. Checked against onnxruntime by
 * tests/ops/integer-kernels.test.ts.
 */
export type IntegerKernel = 'needs_output' | 'any_output'

/** What kind of product a layer is. A table is one with rows of the unit matrix: it is gathered from. */
export type LayerKind = 'convolution' | 'matrix' | 'recurrent' | 'table'

/** How an operator on floats multiplies with its weight; `readLayer` reads it for a node. */
export interface LayerFacts {
  readonly kind: LayerKind
  /** Index of the input that holds the table; other layers have it in `weightInput`. */
  readonly tableInput?: number
  /** Weights beside the first, with the same axes. */
  readonly furtherWeights?: readonly number[]
  /** Where the channels of input and output lie: axis 1 of [N, C, …], or the last. */
  readonly channelAxis: 1 | -1
  /** Rank of input and output, where the layer fixes it: `weight`: that of the weight. */
  readonly dataRank?: 2 | 'weight'
  /**
   * Of operators with groups, the side whose axis of the weight counts the channels of one group; that
   * of the other side counts the channels of all.
   */
  readonly perGroup?: 'input' | 'output'
  /** A product of two values, and a layer only where one of them is constant. */
  readonly isProduct?: true
}

export interface OpFacts {
  readonly family: OpFamily
  /** Index of the input that holds the layer's weight, when it is an initializer. */
  readonly weightInput?: number
  readonly biasInput?: number
  /** Axis of the weight along which output channels lie; per-channel scales go there. */
  readonly outChannelAxis?: (node: Node, weightRank: number) => number
  /** Axis of the weight that is summed over (or its first one). */
  readonly inChannelAxis?: (node: Node, weightRank: number) => number
  /** Absent for operators on integers, and for those whose weight nobody asks for. */
  readonly layer?: LayerFacts
  readonly integerKernel?: IntegerKernel
  /**
   * Moves or selects values without computing, so an 8-bit tensor passes through unchanged when
   * output and input have the same scale and zero point. The number is the first opset in which
   * onnxruntime's kernel takes 8-bit data.
   */
  readonly sharesQuantization?: number
  /** Indices of the inputs that carry data (default: all); the others are shapes, axes, indices. */
  readonly dataInputs?: readonly number[]
  /** Multiply-accumulates of one run; undefined when a shape is missing. */
  readonly macs?: (node: Node, shapeOf: ShapeOf) => number | undefined
  /** Gives other values each time: never folded, never compared. */
  readonly nondeterministic?: true
}
