import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { int, ints, positive, x } from '../samples.js'

const image = x(2, 4, 4, 4)

/** Axes are an attribute before opset 18, and an input from then on. */
const reduction: readonly OpCaseSpec[] = [
  { inputs: [positive(2, 4, 4, 4)] },
  {
    title: 'axes as an attribute',
    opset: 13,
    inputs: [positive(2, 4, 4, 4)],
    attributes: { axes: [2, 3] },
  },
  {
    title: 'axes as an input',
    opset: 18,
    inputs: [positive(2, 4, 4, 4), ints(1, -1)],
    attributes: { keepdims: 0 },
  },
]
const extremeIndex: readonly OpCaseSpec[] = [
  { inputs: [image], attributes: { axis: 1, keepdims: 0 }, outputs: ['int64'] },
]
const cumulative = (opset: number): readonly OpCaseSpec[] => [
  { opset, inputs: [x(2, 3), int(1)], attributes: { exclusive: 1, reverse: 1 } },
]

export const reductionCases = {
  ArgMax: extremeIndex,
  ArgMin: extremeIndex,
  CumProd: cumulative(26),
  CumSum: cumulative(17),
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: [
    { inputs: [image] },
    { title: 'axes as an input', inputs: [image, ints(1, -1)], attributes: { keepdims: 0 } },
    {
      title: 'axes as an attribute',
      opset: 7,
      inputs: [image],
      attributes: { axes: [1, 3], keepdims: 0 },
    },
    { title: 'all axes, before axes were an input', opset: 7, inputs: [image] },
  ],
  ReduceSumSquare: reduction,
} satisfies OpTable<readonly OpCaseSpec[]>
