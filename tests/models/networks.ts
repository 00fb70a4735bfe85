// Whole networks in small: mobile, transformer, and those with bodies and functions.
import { attr, type FunctionDefinition, type Graph, type Model } from '@pare/graph'
import { model, type ModelBuilder, tensorValue } from '@pare/graph/testing'
import type { Tensors } from '@pare/passes'
import { createRandom, elementCount, tensorFromInts } from '@pare/tensor'

/** Weights whose products keep the size of what they multiply. */
export function weights(dims: readonly number[], seed: number): Float32Array {
  const { normal } = createRandom(seed)
  const fanIn = dims.slice(1).reduce((product, size) => product * size, 1)
  return Float32Array.from({ length: elementCount(dims) }, () => normal() / Math.sqrt(fanIn))
}

const positive = (count: number, seed: number) => weights([count, 1], seed).map((v) => 1 + v * v)

export const withWeights = (
  builder: ModelBuilder,
  shapes: Readonly<Record<string, readonly number[]>>,
): ModelBuilder =>
  Object.entries(shapes).reduce(
    (built, [name, dims], index) => built.floats(name, dims, weights(dims, index + 1)),
    builder,
  )

export const ints = (...values: number[]) => tensorFromInts('int64', [values.length], values)

export function tokens(dims: readonly number[], vocabulary: number): Tensors {
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

export function transformer(): Model {
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
export function branches(): Model {
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
export function loop(): Model {
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
export function functions(): Model {
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
