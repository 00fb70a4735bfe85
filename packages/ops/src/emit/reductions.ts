// Sums, means and extremes along axes, and the softmax made of them. The axes are an attribute, and
// become an input with opset 13 (ReduceSum) or 18 (the others). Negative axes from opset 11 on.
import { attr } from '@pare/graph'

import type { OpType } from '../op-types/op-versions.js'
import type { Operand, ValueName, Writer } from './writer.js'

export interface ReduceOptions {
  /** Whether reduced axes stay, of size 1. Default true. */
  readonly keepDims?: boolean
}

/** Undefined: all axes. An empty list: none, so that the result is `x` itself. */
export type ReducedAxes = readonly number[] | ValueName | undefined

export function reductionsOf(write: Writer) {
  const reduce =
    (opType: OpType, axesInputSince = 18) =>
    (x: ValueName, axes?: ReducedAxes, { keepDims = true }: ReduceOptions = {}): ValueName => {
      // As an input an empty list would mean all axes.
      if (Array.isArray(axes) && axes.length === 0) return x
      const keepdims = keepDims ? undefined : attr.int(0)
      if (axes === undefined) return write.node(opType, [x], { keepdims })
      if (write.opset >= axesInputSince) {
        return write.node(opType, [x, write.intsOf(axes)], { keepdims })
      }
      if (typeof axes === 'string') {
        throw write.lacks(`${opType} with computed axes`, axesInputSince)
      }
      return write.node(opType, [x], { axes: attr.ints(axes), keepdims })
    }
  const reductions = {
    reduceSum: reduce('ReduceSum', 13),
    reduceMean: reduce('ReduceMean'),
    reduceMax: reduce('ReduceMax'),
    reduceMin: reduce('ReduceMin'),
    reduceProd: reduce('ReduceProd'),
    /** Index of the greatest element along an axis, int64; the first of equals. */
    argMax: (x: ValueName, axis: number, { keepDims = true }: ReduceOptions = {}): ValueName =>
      write.node('ArgMax', [x], {
        axis: attr.int(axis),
        keepdims: keepDims ? undefined : attr.int(0),
      }),
  }
  return { ...reductions, ...softmaxOf(write, reductions) }
}

type Reduce = (x: ValueName, axes?: ReducedAxes) => ValueName

/**
 * Along one axis, as opset 13 defines it. Before, the operators flatten what follows the axis, so
 * they are written out: x − max, then exp and a division, or minus the logarithm of the sum.
 */
function softmaxOf(
  write: Writer,
  { reduceMax, reduceSum }: { readonly reduceMax: Reduce; readonly reduceSum: Reduce },
) {
  const op = (opType: OpType, ...inputs: readonly Operand[]) => write.node(opType, inputs)
  const shifted = (x: ValueName, axis: number) => op('Sub', x, reduceMax(x, [axis]))
  return {
    softmax: (x: ValueName, axis = -1): ValueName => {
      if (write.opset >= 13) return write.node('Softmax', [x], { axis: attr.int(axis) })
      const powers = op('Exp', shifted(x, axis))
      return op('Div', powers, reduceSum(powers, [axis]))
    },
    logSoftmax: (x: ValueName, axis = -1): ValueName => {
      if (write.opset >= 13) return write.node('LogSoftmax', [x], { axis: attr.int(axis) })
      const moved = shifted(x, axis)
      return op('Sub', moved, op('Log', reduceSum(op('Exp', moved), [axis])))
    },
  }
}
