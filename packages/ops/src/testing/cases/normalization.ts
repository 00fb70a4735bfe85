import { attr } from '@pare/graph'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { positiveW, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const statistics = [image, w(4), w(4), w(4), positiveW(4)]

export const normalizationCases = {
  BatchNormalization: [
    { inputs: statistics },
    { title: 'before its outputs changed', opset: 9, inputs: statistics },
    {
      title: 'with the attribute spatial',
      opset: 7,
      inputs: statistics,
      attributes: { spatial: 1 },
    },
  ],
  GroupNormalization: [
    { opset: 21, inputs: [image, w(4), w(4)], attributes: { num_groups: 2 } },
    {
      title: 'a scale per group',
      opset: 18,
      inputs: [image, w(2), w(2)],
      attributes: { num_groups: 2 },
    },
  ],
  InstanceNormalization: [{ inputs: [image, w(4), w(4)] }],
  LRN: [{ inputs: [image], attributes: { size: 3 } }],
  LayerNormalization: [
    { inputs: [image, w(4)] },
    { title: 'a shift', inputs: [x(2, 3, 8), w(8), w(8)], attributes: { axis: -1 } },
    {
      title: 'its statistics too',
      inputs: [x(2, 3, 8), w(8), w(8)],
      outputs: ['float32', 'float32', 'float32'],
    },
  ],
  LpNormalization: [{ inputs: [image], attributes: { axis: 1, p: 2 } }],
  MeanVarianceNormalization: [{ inputs: [image] }],
  RMSNormalization: [{ opset: 23, inputs: [x(2, 3, 8), w(8)] }],
  SimplifiedLayerNormalization: [
    { inputs: [x(2, 3, 8), w(8)], attributes: { epsilon: attr.float(1e-5) } },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
