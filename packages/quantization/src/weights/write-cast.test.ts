// Convolutions in the format `auto`: constants that onnxruntime computes when it loads the model.
import { checkModel, type Model, onnxOpset } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { decodeModel, encodeModel } from '@pare/onnx'
import { describe, expect, it } from 'vitest'

import { optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeWeights } from './quantize-weights.js'

const feeds = { x: randomTensor([2, 8, 9, 9], 1) }

function opTypes({ graph }: Model): readonly string[] {
  return graph.nodes.map(({ opType }) => opType)
}

/** Two convolutions that share a weight, with rows of 72 values: two blocks of 32 and a rest. */
function shared(opset = 13): Model {
  return model({ opset })
    .input('x', 'float32', ['n', 8, 9, 9])
    .floats('w', [8, 8, 3, 3], randomValues(576, 2))
    .node('Conv', ['x', 'w'], ['c'])
    .node('Relu', ['c'], ['r'])
    .node('Conv', ['r', 'w'], ['y'])
    .output('y')
    .build()
}

describe('convolutions in the format auto', () => {
  it.each([
    { bits: 8, symmetric: false, least: 35 },
    { bits: 8, symmetric: true, least: 35 },
    { bits: 4, symmetric: false, least: 16 },
    { bits: 4, symmetric: true, least: 14 },
  ] as const)('are float again once loaded, to nothing but convolutions: %o', async (options) => {
    const before = shared()
    const { model: after, layers } = await quantizeWeights(before, options)
    checkModel(after)
    expect(layers.map(({ weight }) => [weight?.format, weight?.bits])).toEqual(
      [0, 1].map(() => ['Cast', options.bits]),
    )
    const loaded = decodeModel(await optimize(encodeModel(after)))
    const nodes = opTypes(loaded).filter((opType) => !opType.startsWith('Reorder'))
    expect(nodes.every((opType) => opType.endsWith('Conv'))).toBe(true)
    const expected = (await runModel(before, feeds))['y']!
    for (const optimization of ['none', 'basic', 'all'] as const) {
      const actual = (await runModel(after, feeds, { optimization }))['y']!
      expect(sqnr(expected, actual)).toBeGreaterThan(options.least)
    }
  })

  it('keep the opset with 8 bits, and have one copy of the weight', async () => {
    const { model: after } = await quantizeWeights(shared(), { bits: 8 })
    expect(onnxOpset(after)).toBe(13)
    expect(opTypes(after)).toEqual(['Cast', 'Cast', 'Sub', 'Mul', 'Conv', 'Relu', 'Conv'])
    const codes = [...after.graph.initializers.values()].filter(({ dims }) => dims.length === 4)
    expect(codes.map(({ dataType }) => dataType)).toEqual(['uint8', 'uint8', 'float32'])
  })

  it('get 4 bits where 2 are asked for, and 8 where the opset cannot be raised, and say so', async () => {
    const two = await quantizeWeights(shared(), { bits: 2 })
    expect(two.layers[0]!.weight!.bits).toBe(4)
    expect(two.diagnostics).toMatchObject([{ code: 'more_bits' }, { code: 'more_bits' }])
    const unknown = model({ opset: 13 })
      .input('x', 'float32', ['n', 8, 9, 9])
      .floats('w', [8, 8, 3, 3], randomValues(576, 2))
      .node('Conv', ['x', 'w'], ['c'])
      .node('Misspelt', ['c'], ['y'])
      .output('y')
      .build()
    const { layers, diagnostics, model: after } = await quantizeWeights(unknown, { bits: 4 })
    expect([layers[0]!.weight!.bits, onnxOpset(after)]).toEqual([8, 13])
    expect(diagnostics).toMatchObject([{ code: 'more_bits' }])
  })

  it('stay float where the nodes would be larger than what they save', async () => {
    const built = model()
      .input('x', 'float32', [1, 4, 3, 3])
      .floats('small', [4, 4, 1, 1], randomValues(16, 2))
      .floats('large', [16, 4, 3, 3], randomValues(576, 2))
      .node('Conv', ['x', 'small'], ['s'])
      .node('Conv', ['s', 'large'], ['y'])
      .output('y')
      .build()
    const { layers } = await quantizeWeights(built)
    expect(layers.map(({ decision, reason }) => reason ?? decision)).toEqual([
      'not_smaller',
      'quantized',
    ])
  })

  it('share a weight between branches, from the graph around them', async () => {
    const branch = (name: string) => model().node('Conv', ['x', 'w'], [name]).output(name).graph()
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 8, 9, 9])
      .input('flag', 'bool', [])
      .floats('w', [8, 8, 3, 3], randomValues(576, 2))
      .node('If', ['flag'], ['y'], { then_branch: branch('a'), else_branch: branch('b') })
      .output('y')
      .build()
    const { model: after, layers } = await quantizeWeights(built, { bits: 8 })
    checkModel(after)
    expect(layers).toHaveLength(2)
    const flag = { dataType: 'bool', dims: [], data: Uint8Array.of(1) } as const
    const [x, y] = [
      await runModel(built, { ...feeds, flag }),
      await runModel(after, { ...feeds, flag }),
    ]
    expect(sqnr(x['y']!, y['y']!)).toBeGreaterThan(35)
    expect(after.graph.initializers.has('w')).toBe(false)
  })

  it('beside matrices and embeddings, which keep the kernels that read integers', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 8, 9, 9])
      .floats('w', [16, 8, 9, 9], randomValues(10368, 2))
      .floats('m', [16, 32], randomValues(512, 3))
      .node('Conv', ['x', 'w'], ['c'])
      .node('Flatten', ['c'], ['f'])
      .node('MatMul', ['f', 'm'], ['y'])
      .output('y')
      .build()
    const { model: after, layers } = await quantizeWeights(built, { bits: 8 })
    expect(layers.map(({ weight }) => weight?.format)).toEqual(['Cast', 'MatMulNBits'])
    expect(encodeModel(after).length / encodeModel(built).length).toBeLessThan(0.3)
  })
})
