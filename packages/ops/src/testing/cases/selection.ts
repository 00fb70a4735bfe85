import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { bools, constant, fed, float, int, ints, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const scattered = [
  x(2, 3, 4, 4),
  constant('int64', [1, 1, 1, 2], [1, 0]),
  constant('float32', [1, 1, 1, 2], [7, 8]),
]

export const selectionCases = {
  Compress: [{ inputs: [x(4, 3), constant('bool', [4], [1, 0, 1, 1])], attributes: { axis: 0 } }],
  NonMaxSuppression: [
    {
      inputs: [
        fed('float32', [1, 3, 4], [0, 0, 2, 2, 0, 0.1, 2, 2.1, 4, 4, 6, 6]),
        fed('float32', [1, 1, 3], [0.9, 0.8, 0.7]),
        ...[int(3), float(0.5), float(0.1)],
      ],
      outputs: ['int64'],
    },
  ],
  NonZero: [{ inputs: [fed('float32', [2, 3], [0, 1, 0, 2, 0, 3])], outputs: ['int64'] }],
  Scatter: [{ opset: 9, inputs: scattered, attributes: { axis: 0 } }],
  ScatterElements: [
    { inputs: scattered, attributes: { axis: 0 } },
    { title: 'sums', inputs: scattered, attributes: { axis: 0, reduction: 'add' } },
  ],
  ScatterND: [
    { inputs: [x(4, 3), constant('int64', [2, 1], [2, 0]), w(2, 3)] },
    {
      title: 'sums',
      inputs: [x(4, 3), constant('int64', [2, 1], [2, 2]), w(2, 3)],
      attributes: { reduction: 'add' },
    },
  ],
  TensorScatter: [
    { opset: 24, inputs: [x(2, 4, 3), x(2, 1, 3), ints(1, 2)], attributes: { axis: 1 } },
  ],
  TopK: [
    { inputs: [image, ints(2)], outputs: ['float32', 'int64'] },
    {
      title: 'k as an attribute',
      opset: 7,
      inputs: [image],
      attributes: { k: 2 },
      outputs: ['float32', 'int64'],
    },
  ],
  Unique: [
    {
      inputs: [fed('float32', [5], [2, 1, 2, 3, 1])],
      outputs: ['float32', 'int64', 'int64', 'int64'],
    },
  ],
  Where: [{ inputs: [bools(2, 4, 4, 4), image, x(2, 4, 4, 4)] }],
} satisfies OpTable<readonly OpCaseSpec[]>
