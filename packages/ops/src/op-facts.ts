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

export interface OpFacts {
  readonly family: OpFamily
  /** Index of the input that holds the layer's weight, when it is an initializer. */
  readonly weightInput?: number
  readonly biasInput?: number
  /** Axis of the weight along which output channels lie; per-channel scales go there. */
  readonly outChannelAxis?: (node: Node, weightRank: number) => number
  /** Axis of the weight that is summed over (or its first one). */
  readonly inChannelAxis?: (node: Node, weightRank: number) => number
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
