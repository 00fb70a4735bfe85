import { attr } from '@pare/graph'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, counts, float, w, x } from '../samples.js'

const bytes = counts('uint8', [3, 4], 13)
const weight = constant('int8', [4, 2], [3, -2, 5, 7, -1, 0, 4, -6])

export const matMulCases = {
  Einsum: [
    { inputs: [x(2, 3, 4), w(4, 5)], attributes: { equation: 'bik,kj->bij' } },
    { title: 'one input', inputs: [x(2, 3)], attributes: { equation: 'ij->ji' } },
  ],
  Gemm: [
    { inputs: [x(3, 4), w(4, 4)] },
    { title: 'a bias', inputs: [x(3, 4), w(4, 5), w(5)] },
    {
      title: 'transposed, with factors',
      inputs: [x(4, 3), w(5, 4), w(5)],
      attributes: { transA: 1, transB: 1, alpha: attr.float(0.5), beta: attr.float(2) },
    },
    { title: 'a computed weight', inputs: [x(3, 4), x(4, 5)] },
  ],
  MatMul: [
    { inputs: [x(3, 4), w(4, 4)] },
    { title: 'a batch', inputs: [x(2, 3, 4), w(4, 5)] },
    { title: 'a weight per batch', inputs: [x(2, 3, 4), w(2, 4, 5)] },
    { title: 'the weight first', inputs: [w(3, 4), x(4, 5)] },
    { title: 'two values', inputs: [x(2, 3, 4), x(2, 4, 3)] },
  ],
  MatMulInteger: [
    {
      inputs: [bytes, weight, constant('uint8', [], [5]), constant('int8', [], [0])],
      outputs: ['int32'],
    },
  ],
  QLinearMatMul: [
    {
      inputs: [
        ...[bytes, float(0.1), constant('uint8', [], [5])],
        ...[weight, float(0.2), constant('int8', [], [0])],
        ...[float(0.3), constant('uint8', [], [128])],
      ],
      outputs: ['uint8'],
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
