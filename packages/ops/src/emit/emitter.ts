// The vocabulary for writing pieces of a graph: each word adds the nodes and constants of one
// operation and returns the name of its result. What an opset writes otherwise (axes as attribute or
// input, Clip's bounds, Softmax over several axes) is decided here, so that whoever writes a graph
// writes one form.
//
//   const { add, div, mul, reduceMean, sqrt, sub } = emitter(editGraph(model))
//   const centred = sub('x', reduceMean('x', [-1]))
//   const variance = reduceMean(mul(centred, centred), [-1])
//   const y = div(centred, sqrt(add(variance, 1e-5)))
//
// Values are names: shapes and types are the caller's to know. A number is a scalar of `floatType`,
// and the same number is the same initializer. All names are new.
import { attr, type GraphEditor } from '@pare/graph'
import type { DataType, Tensor } from '@pare/tensor'

import type { OpType } from '../op-types/op-versions.js'
import { arithmeticOf } from './arithmetic.js'
import { layoutOf } from './layout.js'
import { reductionsOf } from './reductions.js'
import {
  type EmittedAttributes,
  type EmitterOptions,
  type Operand,
  type ValueName,
  Writer,
} from './writer.js'

export interface GemmOptions {
  readonly transA?: boolean
  readonly transB?: boolean
  /** Factor of A·B. Default 1. */
  readonly alpha?: number
  /** Factor of C. Default 1. */
  readonly beta?: number
}

/**
 * Words that write into the editor's graph, for the model's opset (7 and later). A word whose
 * operator the opset lacks throws `operator_unavailable`. The emitter has no state but the constants
 * it has made; several may write into one editor.
 */
export function emitter(editor: GraphEditor, options: EmitterOptions = {}) {
  const write = new Writer(editor, options)
  return {
    opset: write.opset,
    ...arithmeticOf(write),
    ...reductionsOf(write),
    ...layoutOf(write),
    ...constantsOf(write),
    /** The product of the last two axes; those before broadcast. */
    matMul: (a: ValueName, b: ValueName): ValueName => write.node('MatMul', [a, b]),
    /** alpha · A·B + beta · C of matrices. C is required before opset 11. */
    gemm: (
      [a, b, c = '']: readonly [a: ValueName, b: ValueName, c?: ValueName],
      { transA = false, transB = false, alpha = 1, beta = 1 }: GemmOptions = {},
    ): ValueName =>
      write.node('Gemm', [a, b, c], {
        transA: transA ? attr.int(1) : undefined,
        transB: transB ? attr.int(1) : undefined,
        alpha: alpha === 1 ? undefined : attr.float(alpha),
        beta: beta === 1 ? undefined : attr.float(beta),
      }),
    /** Any operator of the default domain, as the model's opset defines it; its one output. */
    op: (
      opType: OpType,
      inputs: readonly Operand[],
      attributes: EmittedAttributes = {},
    ): ValueName => write.node(opType, inputs, attributes),
    /** The same with several outputs. */
    opWithOutputs: (
      outputs: number,
      opType: OpType,
      inputs: readonly Operand[],
      attributes: EmittedAttributes = {},
    ): readonly ValueName[] => write.nodes(opType, inputs, attributes, outputs),
  }
}

export type Emitter = ReturnType<typeof emitter>

function constantsOf(write: Writer) {
  return {
    constant: (tensor: Tensor, hint?: string): ValueName => write.constant(tensor, hint),
    /** Of the emitter's `floatType` by default. */
    scalar: (value: number, dataType?: DataType): ValueName => write.scalar(value, dataType),
    /** A list of int64. */
    ints: (values: readonly number[]): ValueName => write.ints(values),
  }
}
