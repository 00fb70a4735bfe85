import { attr } from '@pare/graph'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { counts, float, floats, int, ints, within1, x } from '../samples.js'

const window: readonly OpCaseSpec[] = [{ inputs: [int(8)] }]
const shape = { shape: [2, 3] }

export const generatorCases = {
  Bernoulli: [
    {
      inputs: [within1(2, 3)],
      nodes: (builder, [data]) =>
        builder.node('Abs', [data!], ['p']).node('Bernoulli', ['p'], ['y0']),
      isRandom: true,
    },
  ],
  BlackmanWindow: window,
  Constant: [
    { attributes: { value: tensorFromFloat32([2], Float32Array.of(1, -2)) } },
    { title: 'a number', attributes: { value_float: attr.float(0.5) } },
    {
      title: 'integers',
      attributes: { value: tensorFromInts('int64', [2], [1, 2]) },
      outputs: ['int64'],
    },
  ],
  ConstantOfShape: [
    { inputs: [ints(2, 3)] },
    {
      title: 'integers',
      inputs: [ints(2, 3)],
      attributes: { value: tensorFromInts('int64', [1], [7]) },
      outputs: ['int64'],
    },
  ],
  EyeLike: [{ inputs: [x(3, 4)], attributes: { k: 1 } }],
  HammingWindow: window,
  HannWindow: window,
  MelWeightMatrix: [{ inputs: [int(4), int(16), int(8000), float(0), float(4000)] }],
  Multinomial: [
    { inputs: [x(2, 3)], attributes: { sample_size: 4 }, outputs: ['int32'], isRandom: true },
  ],
  OneHot: [{ inputs: [counts('int64', [3], 4), int(4), floats(0, 1)], attributes: { axis: -1 } }],
  RandomNormal: [{ attributes: shape, isRandom: true }],
  RandomNormalLike: [{ inputs: [x(2, 3)], isRandom: true }],
  RandomUniform: [{ attributes: shape, isRandom: true }],
  RandomUniformLike: [{ inputs: [x(2, 3)], isRandom: true }],
  Range: [
    { inputs: [float(0), float(3), float(0.5)] },
    { title: 'integers', inputs: [int(0), int(6), int(2)], outputs: ['int64'] },
  ],
  Shape: [{ inputs: [x(2, 3)], outputs: ['int64'] }],
  Size: [{ inputs: [x(2, 3)], outputs: ['int64'] }],
} satisfies OpTable<readonly OpCaseSpec[]>
