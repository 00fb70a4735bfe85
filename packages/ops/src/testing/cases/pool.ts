import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, fed, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const kernel = { kernel_shape: [2, 2] }

export const poolCases = {
  AveragePool: [
    { inputs: [image], attributes: kernel },
    {
      title: 'cut off',
      opset: 13,
      inputs: [image],
      attributes: { ...kernel, ceil_mode: 1, strides: [2, 2] },
    },
    {
      title: 'padding counts',
      inputs: [image],
      attributes: { ...kernel, pads: [1, 1, 0, 0], count_include_pad: 1 },
    },
  ],
  GlobalAveragePool: [{ inputs: [image] }],
  GlobalLpPool: [{ inputs: [image] }],
  GlobalMaxPool: [{ inputs: [image] }],
  LpPool: [{ inputs: [image], attributes: kernel }],
  MaxPool: [
    { inputs: [image], attributes: kernel },
    { title: 'with indices', inputs: [image], attributes: kernel, outputs: ['float32', 'int64'] },
  ],
  MaxRoiPool: [
    {
      inputs: [image, constant('float32', [2, 5], [0, 0, 0, 3, 3, 1, 1, 1, 3, 2])],
      attributes: { pooled_shape: [2, 2] },
    },
  ],
  MaxUnpool: [
    {
      inputs: [x(1, 1, 2, 2), fed('int64', [1, 1, 2, 2], [5, 7, 13, 15])],
      attributes: { ...kernel, strides: [2, 2] },
    },
  ],
  RoiAlign: [
    {
      inputs: [
        image,
        constant('float32', [2, 4], [0, 0, 3, 3, 1, 1, 2, 3]),
        constant('int64', [2], [0, 1]),
      ],
      attributes: { output_height: 2, output_width: 2 },
    },
    {
      title: 'before coordinates could be chosen',
      opset: 10,
      inputs: [
        image,
        constant('float32', [2, 4], [0, 0, 3, 3, 1, 1, 2, 3]),
        constant('int64', [2], [0, 1]),
      ],
      attributes: { output_height: 2, output_width: 2 },
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
