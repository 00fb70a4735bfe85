// Small models of the kinds that customers bring: each has something that once broke a converter.
import { attr, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import type { Tensors } from '@pare/passes'

import { randomFloats } from '../support/run-model.js'
import {
  branches,
  functions,
  ints,
  loop,
  mobileNet,
  tokens,
  transformer,
  weights,
  withWeights,
} from './networks.js'

export interface Sample {
  readonly what: string
  readonly model: Model
  /** One batch of input. */
  readonly feeds: Tensors
  /** Layers with weights that become integer (never a first one of 3 channels: it would not pay). */
  readonly integerLayers: number
}

const row = { x: randomFloats([8, 16]) }
const image = { x: randomFloats([4, 8, 10, 10]) }
const dense = (shapes: Readonly<Record<string, readonly number[]>>) =>
  withWeights(model({ opset: 17 }), shapes).input('x', 'float32', ['n', 16])
const onImages = (shapes: Readonly<Record<string, readonly number[]>>) =>
  withWeights(model({ opset: 17 }), shapes).input('x', 'float32', ['n', 8, 10, 10])

export const SAMPLES: readonly Sample[] = [
  ...[7, 11, 13, 21].map((opset) => ({
    what: `a MobileNet block of operator set ${opset}`,
    model: mobileNet(opset, ['n', 3, 12, 12]),
    feeds: { x: randomFloats([4, 3, 12, 12]) },
    integerLayers: 3,
  })),
  {
    what: 'a network for any picture size',
    model: mobileNet(17, ['n', 3, 'height', 'width']),
    feeds: { x: randomFloats([2, 3, 14, 10]) },
    integerLayers: 3,
  },
  {
    what: 'a network for four pictures at a time',
    model: mobileNet(17, [4, 3, 12, 12]),
    feeds: { x: randomFloats([4, 3, 12, 12]) },
    integerLayers: 3,
  },
  {
    what: 'a transformer block that reads tokens',
    model: transformer(),
    feeds: tokens([4, 12], 50),
    integerLayers: 5,
  },
  {
    what: 'branches that read weights from outside',
    model: branches(),
    feeds: row,
    integerLayers: 3,
  },
  { what: 'a loop between two layers', model: loop(), feeds: row, integerLayers: 2 },
  { what: 'calls of a local function', model: functions(), feeds: row, integerLayers: 2 },
  {
    what: 'Gemm with alpha, beta and transB',
    model: dense({ w0: [32, 16], b0: [32], w1: [8, 32], b1: [1, 8] })
      .node('Gemm', ['x', 'w0', 'b0'], ['a'], {
        transB: 1,
        alpha: attr.float(0.5),
        beta: attr.float(2),
      })
      .node('Relu', ['a'], ['r'])
      .node('Gemm', ['r', 'w1', 'b1'], ['y'], { transB: 1, alpha: attr.float(2) })
      .output('y', 'float32', ['n', 8])
      .build(),
    feeds: row,
    integerLayers: 2,
  },
  {
    what: 'a Gemm whose Relu is read by floats, and one with a single bias value',
    model: dense({ w0: [16, 32], w1: [32, 8] })
      .floats('b0', [], [0.3])
      .node('Gemm', ['x', 'w0', 'b0'], ['a'])
      .node('Relu', ['a'], ['r'])
      .node('Sqrt', ['r'], ['root'])
      .node('Gemm', ['root', 'w1'], ['y'])
      .output('y', 'float32', ['n', 8])
      .build(),
    feeds: row,
    integerLayers: 2,
  },
  {
    what: 'two inputs whose layers meet',
    model: dense({ w0: [16, 32], w1: [6, 32], w2: [64, 8] })
      .input('z', 'float32', ['n', 6])
      .node('Gemm', ['x', 'w0'], ['a'])
      .node('Relu', ['a'], ['b'])
      .node('Gemm', ['z', 'w1'], ['c'])
      .node('Relu', ['c'], ['d'])
      .node('Concat', ['b', 'd'], ['e'], { axis: 1 })
      .node('Gemm', ['e', 'w2'], ['y'])
      .output('y', 'float32', ['n', 8])
      .build(),
    feeds: { ...row, z: randomFloats([8, 6], 2) },
    integerLayers: 3,
  },
  {
    what: 'one weight in three layers, and in a sum',
    model: dense({ w: [16, 16], row: [16] })
      .node('Gemm', ['x', 'w'], ['a'])
      .node('Relu', ['a'], ['b'])
      .node('Gemm', ['b', 'w'], ['c'])
      .node('Relu', ['c'], ['d'])
      .node('MatMul', ['d', 'w'], ['e'])
      .node('Add', ['e', 'row'], ['y'])
      .output('y', 'float32', ['n', 16])
      .build(),
    feeds: row,
    integerLayers: 3,
  },
  {
    what: 'values inside that are outputs as well',
    model: onImages({ w0: [16, 8, 3, 3], w1: [8, 16, 3, 3] })
      .node('Conv', ['x', 'w0'], ['c'], { pads: [1, 1, 1, 1] })
      .node('Relu', ['c'], ['r'])
      .node('Conv', ['r', 'w1'], ['y'], { pads: [1, 1, 1, 1] })
      .output('c', 'float32')
      .output('y', 'float32')
      .output('r', 'float32')
      .build(),
    feeds: image,
    integerLayers: 2,
  },
  {
    what: 'Resize and a padding with another value than zero',
    model: onImages({ w0: [16, 8, 3, 3], w1: [8, 16, 3, 3] })
      .floats('twice', [4], [1, 1, 2, 2])
      .initializer('pads', ints(0, 0, 1, 1, 0, 0, 1, 1))
      .floats('grey', [], [0.7])
      .node('Conv', ['x', 'w0'], ['a'])
      .node('Relu', ['a'], ['b'])
      .node('Resize', ['b', '', 'twice'], ['c'], { mode: 'nearest' })
      .node('Pad', ['c', 'pads', 'grey'], ['d'])
      .node('Conv', ['d', 'w1'], ['y'])
      .output('y', 'float32')
      .build(),
    feeds: image,
    integerLayers: 2,
  },
  {
    what: 'a transposed convolution between two others',
    model: onImages({ w0: [16, 8, 3, 3], up: [16, 8, 2, 2], b: [8], w1: [8, 8, 3, 3] })
      .node('Conv', ['x', 'w0'], ['a'])
      .node('Relu', ['a'], ['r'])
      .node('ConvTranspose', ['r', 'up', 'b'], ['u'], { strides: [2, 2] })
      .node('Conv', ['u', 'w1'], ['y'])
      .output('y', 'float32')
      .build(),
    feeds: image,
    integerLayers: 2,
  },
  {
    what: 'a split whose halves meet again',
    model: onImages({ w0: [16, 8, 3, 3], w1: [8, 8, 3, 3], w2: [8, 24, 1, 1] })
      .node('Conv', ['x', 'w0'], ['a'], { pads: [1, 1, 1, 1] })
      .node('Split', ['a'], ['s', 't'], { axis: 1 })
      .node('Conv', ['s', 'w1'], ['b'], { pads: [1, 1, 1, 1] })
      .node('Sigmoid', ['t'], ['g'])
      .node('Mul', ['t', 'g'], ['u'])
      .node('Concat', ['b', 'u', 's'], ['c'], { axis: 1 })
      .node('Conv', ['c', 'w2'], ['y'])
      .output('y', 'float32')
      .build(),
    feeds: image,
    integerLayers: 3,
  },
  {
    what: 'channels that are always zero, and biases far beyond the rest',
    model: onImages({ w1: [8, 16, 3, 3] })
      .floats(
        'w0',
        [16, 8, 3, 3],
        weights([16, 8, 3, 3], 1).map((w, i) => (i % 288 < 72 ? 0 : w)),
      )
      .floats(
        'b0',
        [16],
        Float32Array.from({ length: 16 }, (_, i) => (i % 8 === 0 ? -1e4 : 0)),
      )
      .node('Conv', ['x', 'w0', 'b0'], ['a'])
      .node('Relu', ['a'], ['r'])
      .node('Conv', ['r', 'w1'], ['y'])
      .output('y', 'float32')
      .build(),
    feeds: image,
    integerLayers: 2,
  },
  {
    what: 'an input that is an output, and one that nobody reads',
    model: dense({ w: [16, 8] })
      .input('unused', 'float32', ['n', 3])
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y', 'float32')
      .output('x', 'float32', ['n', 16])
      .build(),
    feeds: { ...row, unused: randomFloats([8, 3]) },
    integerLayers: 1,
  },
  {
    what: 'names in every script, with blanks and quotes',
    model: withWeights(model({ opset: 17 }), { 'вес/0:α': [16, 32], 'w 1"': [32, 8] })
      .input('вход', 'float32', ['n', 16])
      .node('MatMul', ['вход', 'вес/0:α'], ['層.1 '])
      .node('Relu', ['層.1 '], ['r\\'])
      .node('MatMul', ['r\\', 'w 1"'], ['출력'])
      .output('출력', 'float32')
      .build(),
    feeds: { вход: randomFloats([8, 16]) },
    integerLayers: 2,
  },
  {
    what: 'nothing with weights',
    model: model()
      .input('x', 'float32', ['n', 16])
      .node('Softmax', ['x'], ['y'])
      .output('y')
      .build(),
    feeds: row,
    integerLayers: 0,
  },
]
