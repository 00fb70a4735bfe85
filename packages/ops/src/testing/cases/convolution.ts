import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, counts, float, positiveW, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const pads = [1, 1, 1, 1]

export const convolutionCases = {
  Conv: [
    { inputs: [image, w(4, 4, 1, 1)] },
    { title: 'a bias', inputs: [image, w(6, 4, 3, 3), w(6)], attributes: { pads } },
    { title: 'groups', inputs: [image, w(6, 2, 3, 3), w(6)], attributes: { pads, group: 2 } },
    { title: 'depthwise', inputs: [image, w(4, 1, 3, 3)], attributes: { pads, group: 4 } },
    { title: 'one dimension', inputs: [x(2, 4, 9), w(5, 4, 3)], attributes: { strides: [2] } },
    { title: 'a computed weight', inputs: [image, x(4, 4, 3, 3)] },
  ],
  ConvInteger: [
    {
      inputs: [
        counts('uint8', [1, 2, 4, 4], 11),
        constant('int8', [1, 2, 1, 1], [3, -2]),
        constant('uint8', [], [5]),
      ],
      outputs: ['int32'],
    },
  ],
  ConvTranspose: [
    { inputs: [image, w(4, 4, 1, 1)] },
    { title: 'groups', inputs: [image, w(4, 3, 2, 2), w(6)], attributes: { group: 2 } },
  ],
  DeformConv: [
    {
      opset: 19,
      inputs: [image, w(4, 4, 2, 2), x(2, 8, 3, 3)],
      attributes: { kernel_shape: [2, 2] },
    },
  ],
  QLinearConv: [
    {
      inputs: [
        counts('uint8', [1, 2, 4, 4], 11),
        float(0.1),
        constant('uint8', [], [5]),
        constant('int8', [2, 2, 1, 1], [3, -2, 5, 7]),
        positiveW(2),
        constant('int8', [2], [0, 0]),
        float(0.2),
        constant('uint8', [], [128]),
        constant('int32', [2], [4, -9]),
      ],
      outputs: ['uint8'],
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
