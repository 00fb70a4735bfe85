import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { bools, constant, counts, positive, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
/** Two values, a value and a constant per channel. */
const pair: readonly OpCaseSpec[] = [
  { inputs: [image, x(2, 4, 4, 4)] },
  { title: 'a constant per channel', inputs: [image, w(4, 1, 1)] },
]
const several: readonly OpCaseSpec[] = [
  { inputs: [image, x(2, 4, 4, 4)] },
  { title: 'a single input', inputs: [image] },
  { title: 'three that broadcast', inputs: [image, x(4, 1, 1), x(1)] },
]
const integers: readonly OpCaseSpec[] = [
  {
    opset: 18,
    inputs: [counts('int32', [2, 3], 7), constant('int32', [3], [1, 6, 3])],
    outputs: ['int32'],
  },
]
const comparison: readonly OpCaseSpec[] = [
  { inputs: [x(2, 3), x(2, 3)], outputs: ['bool'] },
  { title: 'a constant', inputs: [x(2, 3), w(1)], outputs: ['bool'] },
]
const logic: readonly OpCaseSpec[] = [{ inputs: [bools(2, 3), bools(3)], outputs: ['bool'] }]

export const elementwiseCases = {
  Add: pair,
  BitShift: [
    {
      inputs: [counts('uint8', [2, 3], 7), constant('uint8', [3], [1, 2, 3])],
      attributes: { direction: 'LEFT' },
      outputs: ['uint8'],
    },
  ],
  BitwiseAnd: integers,
  BitwiseOr: integers,
  BitwiseXor: integers,
  Div: [
    { inputs: [image, positive(2, 4, 4, 4)] },
    { title: 'a constant per channel', inputs: [image, w(4, 1, 1)] },
  ],
  Max: several,
  Mean: several,
  Min: several,
  Mod: [
    {
      inputs: [counts('int64', [2, 3], 7), constant('int64', [1], [3])],
      outputs: ['int64'],
    },
  ],
  Mul: pair,
  Pow: [
    { inputs: [positive(2, 4, 4, 4), x(2, 4, 4, 4)] },
    { title: 'a square', inputs: [x(2, 3), constant('float32', [], [2])] },
  ],
  Sub: pair,
  Sum: several,
} satisfies OpTable<readonly OpCaseSpec[]>

export const comparisonCases = {
  And: logic,
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  IsInf: [{ inputs: [x(2, 3)], outputs: ['bool'] }],
  IsNaN: [{ inputs: [x(2, 3)], outputs: ['bool'] }],
  Less: comparison,
  LessOrEqual: comparison,
  Not: [{ inputs: [bools(2, 3)], outputs: ['bool'] }],
  Or: logic,
  Xor: logic,
} satisfies OpTable<readonly OpCaseSpec[]>
