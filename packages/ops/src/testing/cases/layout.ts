import { attr } from '@pare/graph'

import type { OpTable } from '../../op-types/op-tables.js'
import type { OpCaseSpec } from '../op-case.js'
import { constant, counts, float, floats, int, ints, w, x } from '../samples.js'

const image = x(2, 4, 4, 4)
const indices = constant('int64', [2, 1], [1, 0])

export const layoutCases = {
  CenterCropPad: [{ opset: 18, inputs: [image, ints(3, 6)], attributes: { axes: [2, 3] } }],
  Col2Im: [{ opset: 18, inputs: [x(1, 8, 9), ints(4, 4), ints(2, 2)] }],
  Concat: [
    { inputs: [image, x(2, 4, 4, 4)], attributes: { axis: 1 } },
    { title: 'a single input', inputs: [image], attributes: { axis: -1 } },
  ],
  DepthToSpace: [{ inputs: [image], attributes: { blocksize: 2 } }],
  Expand: [{ inputs: [x(1, 4, 1, 4), ints(2, 4, 4, 4)] }],
  Flatten: [
    { inputs: [image] },
    { title: 'at another axis', inputs: [image], attributes: { axis: -1 } },
  ],
  Gather: [
    { inputs: [image, ints(1)], attributes: { axis: 1 } },
    { title: 'one index', inputs: [image, int(-1)] },
    { title: 'a table', inputs: [w(256, 16), counts('int64', [2, 8], 256)] },
  ],
  GatherElements: [{ inputs: [x(2, 4), indices] }],
  GatherND: [{ inputs: [image, indices] }],
  Identity: [{ inputs: [image] }],
  Pad: [
    { inputs: [image, ints(0, 0, 1, 1, 0, 0, 1, 1)] },
    { title: 'with a constant', inputs: [image, ints(0, 0, 1, 2, 0, 0, 0, 1), float(1.5)] },
    { title: 'nothing', inputs: [image, ints(0, 0, 0, 0, 0, 0, 0, 0)] },
    {
      title: 'edges',
      inputs: [image, ints(0, 0, 1, 1, 0, 0, 1, 1)],
      attributes: { mode: 'edge' },
    },
    {
      title: 'with a constant, as attributes',
      opset: 7,
      inputs: [image],
      attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], value: attr.float(1.5) },
    },
    {
      title: 'mirrored, as attributes',
      opset: 7,
      inputs: [image],
      attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: 'reflect' },
    },
  ],
  Reshape: [
    { inputs: [image, ints(4, -1)] },
    { title: 'a size kept', inputs: [image, ints(0, -1)] },
  ],
  Resize: [
    { inputs: [image, null, floats(1, 1, 2, 2)] },
    {
      title: 'to sizes',
      inputs: [image, null, null, ints(2, 4, 6, 6)],
      attributes: { mode: 'linear' },
    },
    { title: 'enlarges', opset: 10, inputs: [image, floats(1, 1, 2, 3)] },
    { title: 'shrinks', opset: 10, inputs: [image, floats(1, 1, 0.5, 0.5)] },
    {
      title: 'enlarges and shrinks',
      opset: 10,
      inputs: [image, floats(1, 1, 2, 0.5)],
      attributes: { mode: 'linear' },
    },
    { title: 'with a region', opset: 11, inputs: [image, floats(), floats(1, 1, 2, 3)] },
  ],
  ReverseSequence: [{ inputs: [x(4, 3), ints(2, 4, 1)] }],
  Slice: [
    { inputs: [image, ints(0), ints(2), ints(1)] },
    { title: 'with steps', inputs: [image, ints(3, 0), ints(-5, 4), ints(2, 3), ints(-1, 2)] },
    {
      title: 'some axes, as attributes',
      opset: 7,
      inputs: [image],
      attributes: { starts: [1, -2], ends: [3, 100], axes: [1, 3] },
    },
    {
      title: 'the first axes, as attributes',
      opset: 7,
      inputs: [image],
      attributes: { starts: [0, 1], ends: [2, 3] },
    },
    {
      title: 'to the end, as attributes',
      opset: 7,
      inputs: [image],
      attributes: { starts: [1], ends: [9_223_372_036_854_775_807n] },
    },
  ],
  SpaceToDepth: [{ inputs: [image], attributes: { blocksize: 2 } }],
  Split: [
    { inputs: [image], attributes: { axis: 1 }, outputs: ['float32', 'float32'] },
    {
      title: 'sizes',
      inputs: [image, ints(1, 3)],
      attributes: { axis: 1 },
      outputs: ['float32', 'float32'],
    },
    {
      title: 'a number of parts',
      opset: 18,
      inputs: [image],
      attributes: { axis: 2, num_outputs: 2 },
      outputs: ['float32', 'float32'],
    },
    {
      title: 'sizes as an attribute',
      opset: 7,
      inputs: [image],
      attributes: { axis: 1, split: [1, 3] },
      outputs: ['float32', 'float32'],
    },
  ],
  Squeeze: [
    { inputs: [x(1, 4, 4, 4), ints(0)] },
    { title: 'axes as an attribute', opset: 7, inputs: [x(2, 1, 3, 1)], attributes: { axes: [1] } },
    { title: 'every axis of size 1', opset: 7, inputs: [x(2, 1, 3, 1)] },
  ],
  Tile: [
    { inputs: [image, ints(1, 1, 2, 1)] },
    { title: 'nothing', inputs: [image, ints(1, 1, 1, 1)] },
  ],
  Transpose: [
    { inputs: [image], attributes: { perm: [0, 2, 3, 1] } },
    { title: 'reversed', inputs: [image] },
    { title: 'nothing', inputs: [image], attributes: { perm: [0, 1, 2, 3] } },
  ],
  Trilu: [{ inputs: [x(2, 4, 4), int(1)], attributes: { upper: 0 } }],
  Unsqueeze: [
    { inputs: [image, ints(0)] },
    { title: 'axes as an attribute', opset: 7, inputs: [image], attributes: { axes: [0, 3] } },
  ],
  Upsample: [
    {
      title: 'scales as an attribute',
      opset: 7,
      inputs: [image],
      attributes: { scales: attr.floats([1, 1, 2, 3]) },
    },
    {
      title: 'linear',
      opset: 9,
      inputs: [image, floats(1, 1, 2, 3)],
      attributes: { mode: 'linear' },
    },
  ],
} satisfies OpTable<readonly OpCaseSpec[]>
