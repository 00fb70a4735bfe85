// Small models of the kinds that customers bring: each has something that once broke a converter.
import { attr, type FunctionDefinition, type Graph, type Model } from '@pare/graph'
import { model, type ModelBuilder, tensorValue } from '@pare/graph/testing'
import type { Tensors } from '@pare/passes'
import { createRandom, elementCount, tensorFromInts } from '@pare/tensor'

import { randomFloats } from '../support/run-model.js'

export interface Sample {
  readonly what: string
  readonly model: Model
  /** One batch of input. */
  readonly feeds: Tensors
  /** Layers with weights that become integer (never a first one of 3 channels: it would not pay). */
  readonly integerLayers: number
}

/** Weights whose products keep the size of what they multiply. */
function weights(dims: readonly number[], seed: number): Float32Array {
  const { normal } = createRandom(seed)
  const fanIn = dims.slice(1).reduce((product, size) => product * size, 1)
  return Float32Array.from({ length: elementCount(dims) }, () => normal() / Math.sqrt(fanIn))
}

const positive = (count: number, seed: number) => weights([count, 1], seed).map((v) => 1 + v * v)

const withWeights = (
  builder: ModelBuilder,
  shapes: Readonly<Record<string, readonly number[]>>,
): ModelBuilder =>
  Object.entries(shapes).reduce(
    (built, [name, dims], index) => built.floats(name, dims, weights(dims, index + 1)),
    builder,
  )

const ints = (...values: number[]) => tensorFromInts('int64', [values.length], values)

function tokens(dims: readonly number[], vocabulary: number): Tensors {
  const { uniform } = createRandom(3)
  const data = BigInt64Array.from({ length: elementCount(dims) }, () =>
    BigInt(Math.floor(uniform() * vocabulary)),
  )
  return { ids: { dataType: 'int64', dims, data } }
}

/** MobileNet's parts: BatchNormalization, depthwise convolution, Clip(0, 6), residual sum. */
export function mobileNet(opset: number, input: readonly (number | string)[]): Model {
  const built = withWeights(model({ opset, irVersion: opset < 9 ? 3 : 8 }), {
    w0: [16, 3, 3, 3],
    bias: [16],
    mean: [16],
    depthwise: [16, 1, 3, 3],
    pointwise: [16, 16, 1, 1],
    dense: [10, 16],
    denseBias: [10],
  })
    .input('x', 'float32', input)
    .floats('scale', [16], positive(16, 20))
    .floats('variance', [16], positive(16, 21))
    .node('Conv', ['x', 'w0'], ['c0'], { pads: [1, 1, 1, 1] })
    .node('BatchNormalization', ['c0', 'scale', 'bias', 'mean', 'variance'], ['n0'])
    .node('Relu', ['n0'], ['r0'])
    .node('Conv', ['r0', 'depthwise'], ['c1'], { group: 16, pads: [1, 1, 1, 1] })
  const clipped =
    opset < 11
      ? built.node('Clip', ['c1'], ['r1'], { min: attr.float(0), max: attr.float(6) })
      : built
          .floats('low', [], [0])
          .floats('high', [], [6])
          .node('Clip', ['c1', 'low', 'high'], ['r1'])
  const ended = clipped
    .node('Conv', ['r1', 'pointwise'], ['c2'])
    .node('Add', ['c2', 'r0'], ['sum'])
    .node('GlobalAveragePool', ['sum'], ['pooled'])
    .node('Flatten', ['pooled'], ['flat'])
    .node('Gemm', ['flat', 'dense', 'denseBias'], ['y'], { transB: 1 })
    .output('y', 'float32', [input[0] ?? null, 10])
  if (opset >= 9) return ended.build()
  // Before IR version 4 every initializer is an input too.
  const early = ended.build()
  const inputs = [...early.graph.initializers].map(([name, { dataType, dims }]) =>
    tensorValue(name, dataType, dims),
  )
  return { ...early, graph: { ...early.graph, inputs: [...early.graph.inputs, ...inputs] } }
}

function transformer(): Model {
  return withWeights(model({ opset: 20 }), {
    table: [50, 32],
    wq: [32, 32],
    wk: [32, 32],
    wv: [32, 32],
    up: [32, 64],
    upBias: [64],
    down: [64, 8],
  })
    .input('ids', 'int64', ['n', 'length'])
    .floats('one', [32], new Float32Array(32).fill(1))
    .floats('root', [], [Math.sqrt(32)])
    .initializer('axis', ints(1))
    .node('Gather', ['table', 'ids'], ['e'])
    .node('MatMul', ['e', 'wq'], ['q'])
    .node('MatMul', ['e', 'wk'], ['k'])
    .node('MatMul', ['e', 'wv'], ['v'])
    .node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] })
    .node('MatMul', ['q', 'kt'], ['products'])
    .node('Div', ['products', 'root'], ['scaled'])
    .node('Softmax', ['scaled'], ['attention'], { axis: -1 })
    .node('MatMul', ['attention', 'v'], ['context'])
    .node('Add', ['context', 'e'], ['residual'])
    .node('LayerNormalization', ['residual', 'one'], ['normed'], { axis: -1 })
    .node('MatMul', ['normed', 'up'], ['wide'])
    .node('Add', ['wide', 'upBias'], ['biased'])
    .node('Gelu', ['biased'], ['active'])
    .node('MatMul', ['active', 'down'], ['narrow'])
    .node('ReduceMean', ['narrow', 'axis'], ['y'], { keepdims: 0 })
    .output('y', 'float32', ['n', 8])
    .build()
}

const graphOf = (builder: ModelBuilder, inputs: Graph['inputs'], outputs: readonly string[]) =>
  attr.graph({
    ...builder.graph(),
    inputs,
    outputs: outputs.map((name) => tensorValue(name, 'float32')),
  })

/** Branches that read weights and values of the graph around them. */
function branches(): Model {
  const then = model().node('Gemm', ['h', 'wThen'], ['left'])
  const otherwise = model().node('MatMul', ['h', 'wElse'], ['right'])
  return withWeights(model({ opset: 17 }), {
    w0: [16, 32],
    w1: [32, 32],
    wThen: [32, 8],
    wElse: [32, 8],
  })
    .input('x', 'float32', ['n', 16])
    .floats('zero', [], [0])
    .node('Gemm', ['x', 'w0'], ['a'])
    .node('Relu', ['a'], ['b'])
    .node('Gemm', ['b', 'w1'], ['h'])
    .node('ReduceMean', ['h'], ['mean'], { keepdims: 0 })
    .node('Greater', ['mean', 'zero'], ['c'])
    .node('If', ['c'], ['y'], {
      then_branch: graphOf(then, [], ['left']),
      else_branch: graphOf(otherwise, [], ['right']),
    })
    .output('y', 'float32', ['n', 8])
    .build()
}

/** A cell written as a loop, as exporters do. */
function loop(): Model {
  const body = model()
    .node('Identity', ['go'], ['on'])
    .node('MatMul', ['h', 'recurrent'], ['z'])
    .node('Tanh', ['z'], ['next'])
    .graph()
  return withWeights(model({ opset: 17 }), { w0: [16, 32], recurrent: [32, 32], w1: [32, 8] })
    .input('x', 'float32', ['n', 16])
    .initializer('rounds', tensorFromInts('int64', [], [3]))
    .initializer('yes', {
      dataType: 'bool',
      dims: [],
      data: { kind: 'bytes', bytes: Uint8Array.of(1) },
    })
    .node('Gemm', ['x', 'w0'], ['start'])
    .node('Loop', ['rounds', 'yes', 'start'], ['end'], {
      body: attr.graph({
        ...body,
        inputs: [
          tensorValue('round', 'int64', []),
          tensorValue('go', 'bool', []),
          tensorValue('h', 'float32'),
        ],
        outputs: [tensorValue('on', 'bool', []), tensorValue('next', 'float32')],
      }),
    })
    .node('Gemm', ['end', 'w1'], ['y'])
    .output('y', 'float32', ['n', 8])
    .build()
}

/** Two calls of a model-local function. */
function functions(): Model {
  const { nodes } = model()
    .node('MatMul', ['X', 'W'], ['product'])
    .node('Add', ['product', 'B'], ['sum'])
    .node('Relu', ['sum'], ['Y'])
    .graph()
  const dense: FunctionDefinition = {
    name: 'Dense',
    domain: 'local',
    inputs: ['X', 'W', 'B'],
    outputs: ['Y'],
    attributes: [],
    attributeDefaults: new Map(),
    nodes,
    opsetImports: [{ domain: '', version: 17 }],
    valueInfo: [],
    metadataProps: [],
  }
  return withWeights(model({ opset: 17, domains: { local: 1 } }), {
    w0: [16, 32],
    b0: [32],
    w1: [32, 8],
    b1: [8],
  })
    .input('x', 'float32', ['n', 16])
    .function(dense)
    .node('local::Dense', ['x', 'w0', 'b0'], ['h'])
    .node('local::Dense', ['h', 'w1', 'b1'], ['y'])
    .output('y', 'float32', ['n', 8])
    .build()
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
    integerLayers: 2,
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
