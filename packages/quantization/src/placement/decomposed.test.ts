// What exporters write in primitive operators, between integer convolutions that would pull it in.
import { attr, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { quantizeVerified } from '../static/quantize-verified.js'
import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { decomposedPatterns, type PatternName } from './decomposed.js'

const feeds = { x: randomTensor([2, 32, 6, 6], 1) }

/** Conv → what `write` adds from a to b → Conv. */
function between(opset: number, write: (graph: ModelBuilder) => ModelBuilder): Model {
  const graph = model({ opset, irVersion: 8 })
    .input('x', 'float32', ['n', 32, 6, 6])
    .floats('w', [32, 32, 3, 3], randomValues(9216, 1, 0.07))
    .floats('v', [32, 32, 3, 3], randomValues(9216, 2, 0.07))
    .floats('one', [], [1])
    .floats('half', [], [0.5])
    .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
  return write(graph)
    .node('Conv', ['b', 'v'], ['y'], { pads: [1, 1, 1, 1] })
    .output('y')
    .build()
}

function reduceMean(graph: ModelBuilder, opset: number, input: string, output: string) {
  return opset < 18
    ? graph.node('ReduceMean', [input], [output], { axes: [-1] })
    : graph
        .initializer(`${output}.axes`, axes)
        .node('ReduceMean', [input, `${output}.axes`], [output])
}

const axes = {
  dataType: 'int64',
  dims: [1],
  data: { kind: 'bytes', bytes: new Uint8Array(new BigInt64Array([-1n]).buffer) },
} as const

function scaleAndShift(graph: ModelBuilder, input: string): ModelBuilder {
  return graph
    .floats('gamma', [6], randomValues(6, 3))
    .floats('beta', [6], randomValues(6, 4))
    .node('Mul', [input, 'gamma'], ['scaled'])
    .node('Add', ['scaled', 'beta'], ['b'])
}

function layerNorm(opset: number, square: 'Pow' | 'Mul'): Model {
  return between(opset, (graph) => {
    graph.floats('two', [], [2]).floats('eps', [], [1e-5])
    reduceMean(graph, opset, 'a', 'mean')
    graph
      .node('Sub', ['a', 'mean'], ['d'])
      .node(square, ['d', square === 'Pow' ? 'two' : 'd'], ['square'])
    return scaleAndShift(
      reduceMean(graph, opset, 'square', 'variance')
        .node('Add', ['variance', 'eps'], ['stable'])
        .node('Sqrt', ['stable'], ['root'])
        .node('Div', ['d', 'root'], ['normal']),
      'normal',
    )
  })
}

/** As Keras does: x · γ/√… + (β − mean · γ/√…). */
function kerasLayerNorm(): Model {
  return between(13, (graph) => {
    graph
      .floats('eps', [], [1e-5])
      .floats('gamma', [6], randomValues(6, 3))
      .floats('beta', [6], randomValues(6, 4))
    reduceMean(graph, 13, 'a', 'mean')
      .node('Sub', ['a', 'mean'], ['d'])
      .node('Mul', ['d', 'd'], ['square'])
    return reduceMean(graph, 13, 'square', 'variance')
      .node('Add', ['variance', 'eps'], ['stable'])
      .node('Sqrt', ['stable'], ['root'])
      .node('Reciprocal', ['root'], ['inverse'])
      .node('Mul', ['inverse', 'gamma'], ['factor'])
      .node('Mul', ['mean', 'factor'], ['shift'])
      .node('Sub', ['beta', 'shift'], ['rest'])
      .node('Mul', ['a', 'factor'], ['product'])
      .node('Add', ['product', 'rest'], ['b'])
  })
}

function rmsNorm(): Model {
  return between(17, (graph) => {
    graph.floats('two', [], [2]).floats('eps', [], [1e-5]).node('Pow', ['a', 'two'], ['square'])
    return reduceMean(graph, 17, 'square', 'variance')
      .node('Add', ['variance', 'eps'], ['stable'])
      .node('Sqrt', ['stable'], ['root'])
      .node('Reciprocal', ['root'], ['inverse'])
      .node('Mul', ['a', 'inverse'], ['normal'])
      .floats('gamma', [6], randomValues(6, 3))
      .node('Mul', ['gamma', 'normal'], ['b'])
  })
}

function erfGelu(halfFirst: boolean): Model {
  return between(17, (graph) => {
    graph
      .floats('root2', [], [Math.SQRT2])
      .node('Div', ['a', 'root2'], ['scaled'])
      .node('Erf', ['scaled'], ['erf'])
      .node('Add', ['erf', 'one'], ['plus'])
    return halfFirst
      ? graph.node('Mul', ['a', 'half'], ['h']).node('Mul', ['h', 'plus'], ['b'])
      : graph.node('Mul', ['a', 'plus'], ['p']).node('Mul', ['p', 'half'], ['b'])
  })
}

function tanhGelu(cube: 'Pow' | 'Mul'): Model {
  return between(17, (graph) => {
    graph
      .floats('three', [], [3])
      .floats('c', [], [0.044715])
      .floats('k', [], [Math.sqrt(2 / Math.PI)])
    if (cube === 'Pow') graph.node('Pow', ['a', 'three'], ['cube'])
    else graph.node('Mul', ['a', 'a'], ['square']).node('Mul', ['square', 'a'], ['cube'])
    return graph
      .node('Mul', ['cube', 'c'], ['small'])
      .node('Add', ['a', 'small'], ['sum'])
      .node('Mul', ['sum', 'k'], ['argument'])
      .node('Tanh', ['argument'], ['tanh'])
      .node('Add', ['tanh', 'one'], ['plus'])
      .node('Mul', ['half', 'plus'], ['h'])
      .node('Mul', ['a', 'h'], ['b'])
  })
}

function softmax(): Model {
  return between(13, (graph) =>
    graph
      .initializer('axes', axes)
      .node('ReduceMax', ['a'], ['max'], { axes: [-1] })
      .node('Sub', ['a', 'max'], ['shifted'])
      .node('Exp', ['shifted'], ['exp'])
      .node('ReduceSum', ['exp', 'axes'], ['sum'])
      .node('Div', ['exp', 'sum'], ['b']),
  )
}

/** Scores between −1 and 1 and a mask of −10,000 for what is not to be seen. */
function masked(write: (graph: ModelBuilder) => ModelBuilder): Model {
  return between(17, (graph) =>
    write(graph)
      .node('Softmax', ['seen'], ['p'], { axis: -1 })
      .floats('six', [], [6])
      .node('Mul', ['p', 'six'], ['b']),
  )
}

const MASK = Array.from({ length: 36 }, (_, i) => (i % 6 > i / 6 ? 1 : 0))

const CASES: readonly (readonly [string, PatternName, Model, readonly string[]])[] = [
  ['LayerNormalization of opset 13', 'LayerNormalization', layerNorm(13, 'Pow'), ['scaled', 'b']],
  ['LayerNormalization of opset 18', 'LayerNormalization', layerNorm(18, 'Pow'), ['scaled', 'b']],
  ['its square as a product', 'LayerNormalization', layerNorm(17, 'Mul'), ['square', 'b']],
  ['LayerNormalization of Keras', 'LayerNormalization', kerasLayerNorm(), ['product', 'b']],
  ['RMSNorm', 'LayerNormalization', rmsNorm(), ['square', 'normal', 'b']],
  ['Gelu with Erf', 'Gelu', erfGelu(false), ['scaled', 'p', 'b']],
  ['Gelu with Erf, halved first', 'Gelu', erfGelu(true), ['scaled', 'h', 'b']],
  ['Gelu with Tanh', 'Gelu', tanhGelu('Pow'), ['small', 'sum', 'argument', 'h', 'b']],
  ['Gelu with Tanh and products', 'Gelu', tanhGelu('Mul'), ['square', 'cube', 'sum', 'b']],
  ['Softmax', 'Softmax', softmax(), ['max', 'exp', 'b']],
  [
    'a mask that is added',
    'attention mask',
    masked((graph) =>
      graph
        .floats(
          'mask',
          [6, 6],
          MASK.map((hidden) => hidden * -10000),
        )
        .node('Add', ['a', 'mask'], ['seen']),
    ),
    ['seen'],
  ],
  [
    'a mask that is computed',
    'attention mask',
    masked((graph) =>
      graph
        .input('m', 'float32', [6, 6])
        .floats('low', [], [-10000])
        .node('Sub', ['one', 'm'], ['hidden'])
        .node('Mul', ['hidden', 'low'], ['mask'])
        .node('Add', ['a', 'mask'], ['seen']),
    ),
    ['hidden', 'mask', 'seen'],
  ],
  [
    'a mask that chooses',
    'attention mask',
    masked((graph) =>
      graph
        .input('m', 'bool', [6, 6])
        .floats('low', [], [-Infinity])
        .node('Where', ['m', 'a', 'low'], ['seen']),
    ),
    ['seen'],
  ],
]

function feedsOf(built: Model) {
  const mask = built.graph.inputs.find(({ name }) => name === 'm')
  if (mask?.type?.kind !== 'tensor') return feeds
  const isBool = mask.type.elementType === 'bool'
  const shown = MASK.map((hidden) => 1 - hidden)
  const data = isBool ? Uint8Array.from(shown) : Float32Array.from(shown)
  return { ...feeds, m: { dataType: mask.type.elementType, dims: [6, 6], data } }
}

describe('decomposedPatterns', () => {
  it.each(CASES)('keeps %s float, and says so', async (_, name, built, outputs) => {
    const found = decomposedPatterns(built)
    const made = new Map([...found].map(([node, pattern]) => [node.outputs[0], pattern]))
    for (const output of outputs) expect(made.get(output), output).toBe(name)
    for (const node of found.keys()) expect(['Conv', 'Softmax']).not.toContain(node.opType)

    const input = feedsOf(built)
    const statistics = await calibrated(built, [input])
    const result = await quantizeVerified({ model: built, statistics, optimize })
    const integer = result.layers.filter(({ decision }) => decision === 'integer')
    expect(integer.map(({ output, kernel }) => [output, kernel])).toEqual([
      ['a', 'QLinearConv'],
      ['y', 'QLinearConv'],
    ])
    const said = result.diagnostics.filter(({ code }) => code === 'decomposed_operator')
    expect(said.length).toBeGreaterThan(0)
    for (const { message } of said) expect(message).toContain(`part of a ${name}`)
    const [before, after] = [await runModel(built, input), await runModel(result.model, input)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it.each([
    ['Tanh alone', between(17, (graph) => graph.node('Tanh', ['a'], ['b']))],
    [
      'Swish',
      between(17, (graph) => graph.node('Sigmoid', ['a'], ['s']).node('Mul', ['a', 's'], ['b'])),
    ],
    [
      'a position bias before Softmax',
      between(17, (graph) =>
        graph
          .floats('bias', [6, 6], randomValues(36, 5))
          .node('Add', ['a', 'bias'], ['s'])
          .node('Softmax', ['s'], ['b'], { axis: -1 }),
      ),
    ],
    [
      'the norm of a vector',
      between(17, (graph) =>
        graph
          .floats('two', [], [2])
          .floats('eps', [], [1e-5])
          .node('Pow', ['a', 'two'], ['square'])
          .node('ReduceMax', ['square'], ['most'], { axes: attr.ints([-1]) })
          .node('Add', ['most', 'eps'], ['sum'])
          .node('Sqrt', ['sum'], ['root'])
          .node('Div', ['a', 'root'], ['b']),
      ),
    ],
  ])('takes %s for none', (_, built) => {
    expect(decomposedPatterns(built).size).toBe(0)
  })
})
