// Moving, cutting and picking values. A shape, axes or indices may be numbers or a value of int64;
// where an opset wants them in an attribute, only numbers do.
import { attr } from '@pare/graph'

import type { Operand, ValueName, Writer } from './writer.js'

type Ints = readonly number[] | ValueName

export interface SliceOptions {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** Default: the first ones. */
  readonly axes?: readonly number[]
  /** Other than 1 from opset 10 on. Default 1. */
  readonly steps?: readonly number[]
}

export type ScatterReduction = 'none' | 'add' | 'mul'

export function layoutOf(write: Writer) {
  return {
    /** Default: the axes in reverse order. */
    transpose: (x: ValueName, perm?: readonly number[]): ValueName =>
      write.node('Transpose', [x], { perm: perm === undefined ? undefined : attr.ints(perm) }),
    /** −1 stands for what is left, 0 for the size that the axis has. */
    reshape: (x: ValueName, shape: Ints): ValueName =>
      write.node('Reshape', [x, write.intsOf(shape)]),
    /** A matrix: the axes before `axis`, and the others. */
    flatten: (x: ValueName, axis = 1): ValueName =>
      write.node('Flatten', [x], { axis: attr.int(axis) }),
    /** Sizes of all axes, int64. */
    shape: (x: ValueName): ValueName => write.node('Shape', [x]),
    /** Number of elements, an int64 scalar. */
    size: (x: ValueName): ValueName => write.node('Size', [x]),
    expand: (x: Operand, shape: Ints): ValueName => write.node('Expand', [x, write.intsOf(shape)]),
    /** A tensor of zeros with the shape of `x`, of type float32 (opset 9). */
    zerosLike: (x: ValueName): ValueName =>
      write.node('ConstantOfShape', [write.node('Shape', [x])]),
    tile: (x: ValueName, repeats: Ints): ValueName =>
      write.node('Tile', [x, write.intsOf(repeats)]),
    concat: (values: readonly ValueName[], axis: number): ValueName =>
      write.node('Concat', values, { axis: attr.int(axis) }),
    squeeze: axesOperator(write, 'Squeeze'),
    unsqueeze: axesOperator(write, 'Unsqueeze'),
    slice: sliceOf(write),
    split: splitOf(write),
    pad: padOf(write),
    gather: (x: ValueName, indices: Ints, axis = 0): ValueName =>
      write.node('Gather', [x, write.intsOf(indices)], { axis: attr.int(axis) }),
    ...elementsOf(write),
  }
}

/** The axes are an attribute before opset 13. */
function axesOperator(write: Writer, opType: 'Squeeze' | 'Unsqueeze') {
  return (x: ValueName, axes: Ints): ValueName => {
    if (write.opset >= 13) return write.node(opType, [x, write.intsOf(axes)])
    if (typeof axes === 'string') throw write.lacks(`${opType} with computed axes`, 13)
    return write.node(opType, [x], { axes: attr.ints(axes) })
  }
}

function sliceOf(write: Writer) {
  return (x: ValueName, { starts, ends, axes, steps }: SliceOptions): ValueName => {
    if (write.opset >= 10) {
      const optional = [axes, steps].map((list) => (list === undefined ? '' : write.ints(list)))
      return write.node('Slice', [x, write.ints(starts), write.ints(ends), ...optional])
    }
    if (steps?.some((step) => step !== 1) === true) throw write.lacks('Slice with steps', 10)
    return write.node('Slice', [x], {
      starts: attr.ints(starts),
      ends: attr.ints(ends),
      axes: axes === undefined ? undefined : attr.ints(axes),
    })
  }
}

/** Parts of these sizes along an axis, in order. */
function splitOf(write: Writer) {
  return (x: ValueName, sizes: readonly number[], axis = 0): readonly ValueName[] =>
    write.opset >= 13
      ? write.nodes('Split', [x, write.ints(sizes)], { axis: attr.int(axis) }, sizes.length)
      : write.nodes('Split', [x], { axis: attr.int(axis), split: attr.ints(sizes) }, sizes.length)
}

/** With a constant: what is put before each axis, then what is put behind each; negative cuts off. */
function padOf(write: Writer) {
  return (x: ValueName, pads: Ints, value: Operand = 0): ValueName => {
    if (write.opset >= 11) return write.node('Pad', [x, write.intsOf(pads), value])
    if (typeof pads === 'string' || typeof value === 'string') {
      throw write.lacks('Pad by computed values', 11)
    }
    return write.node('Pad', [x], { pads: attr.ints(pads), value: attr.float(value) })
  }
}

/** Reading and writing at indices. Scatters add and multiply from opset 16 on. */
function elementsOf(write: Writer) {
  const scatter =
    (opType: 'ScatterElements' | 'ScatterND') =>
    (
      inputs: readonly [data: ValueName, indices: ValueName, updates: ValueName],
      { axis, reduction = 'none' }: { axis?: number; reduction?: ScatterReduction },
    ): ValueName => {
      if (reduction !== 'none' && write.opset < 16) {
        throw write.lacks(`${opType} that reduces`, 16)
      }
      return write.node(opType, inputs, {
        axis: axis === undefined ? undefined : attr.int(axis),
        reduction: reduction === 'none' ? undefined : attr.string(reduction),
      })
    }
  const elements = scatter('ScatterElements')
  const slices = scatter('ScatterND')
  return {
    /** out[i][j] = x[indices[i][j]][j] for axis 0 (opset 11). */
    gatherElements: (x: ValueName, indices: ValueName, axis = 0): ValueName =>
      write.node('GatherElements', [x, indices], { axis: attr.int(axis) }),
    /** The counterpart of `gatherElements`, on a copy of `data` (opset 11). */
    scatterElements: (
      inputs: readonly [data: ValueName, indices: ValueName, updates: ValueName],
      options: { readonly axis?: number; readonly reduction?: ScatterReduction } = {},
    ): ValueName => elements(inputs, { axis: 0, ...options }),
    /** Index vectors along the last axis of `indices`, on a copy of `data` (opset 11). */
    scatterND: (
      inputs: readonly [data: ValueName, indices: ValueName, updates: ValueName],
      options: { readonly reduction?: ScatterReduction } = {},
    ): ValueName => slices(inputs, options),
    /** 1 at each index along a new axis of `depth` entries, 0 elsewhere (opset 9). */
    oneHot: (indices: ValueName, depth: number, axis = -1): ValueName =>
      write.node('OneHot', [indices, write.scalar(depth, 'int64'), write.floats([0, 1])], {
        axis: attr.int(axis),
      }),
  }
}
