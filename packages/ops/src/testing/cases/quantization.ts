import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, counts, float, positiveW, x } from '../samples.js'

export const quantizationCases = {
  DequantizeLinear: [
    { inputs: [counts('uint8', [2, 4, 4, 4], 250), float(0.1), constant('uint8', [], [128])] },
    {
      title: 'a scale per channel',
      inputs: [counts('int8', [2, 4, 3], 100), positiveW(4), constant('int8', [4], [0, 0, 0, 0])],
      attributes: { axis: 1 },
    },
    {
      title: 'a scale per block',
      opset: 21,
      inputs: [counts('int8', [4, 3], 100), positiveW(2, 3)],
      attributes: { axis: 0, block_size: 2 },
    },
  ],
  DynamicQuantizeLinear: [{ inputs: [x(2, 8)], outputs: ['uint8', 'float32', 'uint8'] }],
  QuantizeLinear: [
    { inputs: [x(2, 4, 4, 4), float(0.05), constant('uint8', [], [128])], outputs: ['uint8'] },
    {
      title: 'a scale per channel',
      inputs: [x(2, 4, 3), positiveW(4), constant('int8', [4], [0, 0, 0, 0])],
      attributes: { axis: 1 },
      outputs: ['int8'],
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
