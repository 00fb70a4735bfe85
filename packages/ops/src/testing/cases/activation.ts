import { attr } from '@pare/graph'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { counts, float, positive, w, within1, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const plain: readonly OpCaseSpec[] = [{ inputs: [image] }]
const since = (opset: number): readonly OpCaseSpec[] => [{ opset, inputs: [image] }]

/** Before opset 13 what follows the axis is flattened. */
const alongAxis: readonly OpCaseSpec[] = [
  { inputs: [image] },
  { title: 'another axis', inputs: [image], attributes: { axis: 1 } },
  { title: 'flattened', opset: 7, inputs: [image] },
  { title: 'flattened at the last axis', opset: 7, inputs: [image], attributes: { axis: 3 } },
  { title: 'flattened at a negative axis', opset: 11, inputs: [image], attributes: { axis: -2 } },
]

export const activationCases = {
  Abs: plain,
  Acos: [{ inputs: [within1(2, 3)] }],
  Acosh: [
    {
      inputs: [positive(2, 3)],
      nodes: (builder, [data]) =>
        builder
          .floats('one', [], [1])
          .node('Add', [data!, 'one'], ['s'])
          .node('Acosh', ['s'], ['y0']),
    },
  ],
  Asin: [{ inputs: [within1(2, 3)] }],
  Asinh: plain,
  Atan: plain,
  Atanh: [{ inputs: [within1(2, 3)] }],
  BitwiseNot: [{ opset: 18, inputs: [counts('int32', [2, 3], 7)], outputs: ['int32'] }],
  Ceil: plain,
  Celu: [{ inputs: [image], attributes: { alpha: attr.float(0.5) } }],
  Clip: [
    { inputs: [image, float(-1), float(1)] },
    { title: 'one bound', inputs: [image, null, float(0.5)] },
    {
      title: 'bounds as attributes',
      opset: 7,
      inputs: [image],
      attributes: { min: attr.float(-0.5), max: attr.float(0.5) },
    },
    {
      title: 'one bound as attribute',
      opset: 7,
      inputs: [image],
      attributes: { max: attr.float(0.5) },
    },
  ],
  Cos: plain,
  Cosh: plain,
  Elu: plain,
  Erf: plain,
  Exp: plain,
  Floor: plain,
  Gelu: since(20),
  HardSigmoid: plain,
  HardSwish: plain,
  Hardmax: [
    { inputs: [image] },
    { title: 'flattened', opset: 11, inputs: [image], attributes: { axis: 2 } },
  ],
  LeakyRelu: [{ inputs: [image], attributes: { alpha: attr.float(0.1) } }],
  Log: [{ inputs: [positive(2, 3)] }],
  LogSoftmax: alongAxis,
  Mish: since(18),
  Neg: plain,
  PRelu: [{ inputs: [image, w(4, 1, 1)] }],
  Reciprocal: [{ inputs: [positive(2, 3)] }],
  Relu: plain,
  Round: plain,
  Selu: plain,
  Shrink: [{ inputs: [image], attributes: { lambd: attr.float(0.3), bias: attr.float(0.1) } }],
  Sigmoid: plain,
  Sign: plain,
  Sin: plain,
  Sinh: plain,
  Softmax: alongAxis,
  Softplus: plain,
  Softsign: plain,
  Sqrt: [{ inputs: [positive(2, 4, 4, 4)] }],
  Swish: since(24),
  Tan: [{ inputs: [within1(2, 3)] }],
  Tanh: plain,
  ThresholdedRelu: plain,
} satisfies OpTable<readonly OpCaseSpec[]>
