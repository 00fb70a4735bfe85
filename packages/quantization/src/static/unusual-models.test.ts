// Models of many forms, as libraries and exporters write them: each is quantized where it can be.
import type { Feeds } from '@pare/datasets'
import { attr, checkModel, type Model, onnxOpset, walkNodes } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import type { QuantizeStaticOptions } from './options.js'
import { quantizeVerified } from './quantize-verified.js'

const image = randomTensor([2, 16, 6, 6], 1)

async function quantize(built: Model, feeds: Feeds, options: QuantizeStaticOptions = {}) {
  const statistics = await calibrated(built, [feeds], options)
  const result = await quantizeVerified({ model: built, statistics, options, optimize })
  checkModel(result.model)
  const [before, after] = [await runModel(built, feeds), await runModel(result.model, feeds)]
  expect(Object.keys(after)).toEqual(Object.keys(before))
  for (const [name, value] of Object.entries(before)) {
    expect(after[name]!.dims).toEqual(value.dims)
    if (value.dataType === 'float32') {
      expect(sqnr(value, after[name]!), name).toBeGreaterThan(25)
    }
  }
  const integer = result.layers.filter(({ decision }) => decision === 'integer')
  return { ...result, integer: integer.map(({ opType }) => opType) }
}

function weights(graph: ModelBuilder): ModelBuilder {
  return graph
    .floats('w1', [32, 16, 3, 3], randomValues(4608, 2, 0.08))
    .floats('b1', [32], randomValues(32, 3))
    .floats('w2', [32, 32, 3, 3], randomValues(9216, 4, 0.06))
}

const pads = { pads: [1, 1, 1, 1] }

describe('quantize_static', () => {
  it('quantizes in the branches of If that the data takes, and around them', async () => {
    const then = model()
      .node('Conv', ['r', 'w2'], ['t'], pads)
      .node('Relu', ['t'], ['then'])
      .output('then')
    const otherwise = model().node('Tanh', ['r'], ['else']).output('else')
    const built = weights(model({ opset: 17 }))
      .input('flag', 'bool', [])
      .input('x', 'float32', ['n', 16, 6, 6])
      .floats('w3', [8, 32, 3, 3], randomValues(2304, 5, 0.1))
      .node('Conv', ['x', 'w1', 'b1'], ['c'], pads)
      .node('Relu', ['c'], ['r'])
      .node('If', ['flag'], ['f'], { then_branch: then.graph(), else_branch: otherwise.graph() })
      .node('Conv', ['f', 'w3'], ['y'], pads)
      .output('y')
      .build()
    for (const flag of [0, 1]) {
      const cond = { dataType: 'bool', dims: [], data: Uint8Array.of(flag) } as const
      const { integer, diagnostics, layers } = await quantize(built, { flag: cond, x: image })
      expect(integer).toEqual(flag === 1 ? ['Conv', 'Conv', 'Conv'] : ['Conv', 'Conv'])
      expect(layers).toHaveLength(3)
      const codes = diagnostics.map(({ code }) => code)
      expect(codes.includes('branch_not_taken')).toBe(flag === 0)
    }
  })

  it('leaves the body of Loop float, which reads and repeats integer values', async () => {
    const body = model()
      .input('i', 'int64', [])
      .input('go', 'bool', [])
      .input('state', 'float32')
      .node('Add', ['state', 'r'], ['next'])
      .node('Identity', ['go'], ['again'])
      .output('again', 'bool')
      .output('next', 'float32')
    const built = weights(model({ opset: 17 }))
      .input('x', 'float32', ['n', 16, 6, 6])
      .initializer('count', tensorFromInts('int64', [], [3]))
      .initializer('yes', tensorFromInts('bool', [], [1]))
      .node('Conv', ['x', 'w1', 'b1'], ['c'], pads)
      .node('Relu', ['c'], ['r'])
      .node('Loop', ['count', 'yes', 'r'], ['sum'], { body: body.graph() })
      .node('Conv', ['sum', 'w2'], ['y'], pads)
      .output('y')
      .build()
    const { integer, diagnostics, model: quantized } = await quantize(built, { x: image })
    expect(integer).toEqual(['Conv', 'Conv'])
    expect(diagnostics.map(({ code }) => code)).toContain('in_subgraph')
    const inner = [...walkNodes(quantized.graph, { subgraphs: 'visit' })]
    expect(inner.some(({ opType, inputs }) => opType === 'Add' && inputs[1] !== 'r')).toBe(true)
  })

  it('leaves the body of Scan float', async () => {
    const body = model()
      .input('state', 'float32', [2, 32])
      .input('row', 'float32', [2, 32])
      .node('Add', ['state', 'row'], ['next'])
      .node('Identity', ['next'], ['seen'])
      .output('next', 'float32', [2, 32])
      .output('seen', 'float32', [2, 32])
    const built = model({ opset: 17 })
      .input('x', 'float32', [5, 2, 32])
      .floats('w', [32, 32], randomValues(1024, 1, 0.2))
      .floats('v', [32, 8], randomValues(256, 2, 0.2))
      .floats('zero', [2, 32], new Float32Array(64))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Scan', ['zero', 'm'], ['last', 'all'], { body: body.graph(), num_scan_inputs: 1 })
      .node('MatMul', ['all', 'v'], ['y'])
      .output('y')
      .output('last')
      .build()
    const { integer } = await quantize(built, { x: randomTensor([5, 2, 32], 3) })
    expect(integer).toEqual(['MatMul', 'MatMul'])
  })

  it('takes several inputs of dynamic shapes, and weights that several layers share', async () => {
    const built = weights(model({ opset: 17 }))
      .input('left', 'float32', ['n', 16, 'h', 'w'])
      .input('right', 'float32', ['n', 16, 'h', 'w'])
      .node('Conv', ['left', 'w1', 'b1'], ['a'], pads)
      .node('Relu', ['a'], ['ra'])
      .node('Conv', ['right', 'w1', 'b1'], ['b'], pads)
      .node('Relu', ['b'], ['rb'])
      .node('Concat', ['ra', 'rb'], ['both'], { axis: 3 })
      .node('Conv', ['both', 'w2'], ['d'], pads)
      .node('GlobalAveragePool', ['d'], ['p'])
      .node('Flatten', ['p'], ['f'])
      .floats('w3', [32, 8], randomValues(256, 5, 0.2))
      .node('MatMul', ['f', 'w3'], ['y'])
      .output('y')
      .build()
    const feeds = (height: number) => ({
      left: randomTensor([2, 16, height, 5], height),
      right: randomTensor([2, 16, height, 5], height + 1),
    })
    const { integer, model: quantized } = await quantize(built, feeds(6))
    expect(integer).toEqual(['Conv', 'Conv', 'Concat', 'Conv', 'GlobalAveragePool', 'MatMul'])
    const weightCount = [...quantized.graph.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'int8' && dims.length === 4,
    )
    expect(weightCount).toHaveLength(2)
    const other = await runModel(quantized, feeds(9))
    expect(other['y']!.dims).toEqual([2, 8])
  })

  it('takes weights from Constant nodes', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 16, 6, 6])
      .node('Constant', [], ['w'], {
        value: tensorFromFloat32([32, 16, 3, 3], randomValues(4608, 2, 0.1)),
      })
      .node('Constant', [], ['b'], { value: tensorFromFloat32([32], randomValues(32, 3)) })
      .node('Conv', ['x', 'w', 'b'], ['y'], pads)
      .output('y')
      .build()
    const { integer, model: quantized } = await quantize(built, { x: image })
    expect(integer).toEqual(['Conv'])
    expect(quantized.graph.nodes.some(({ opType }) => opType === 'Constant')).toBe(false)
  })

  it('takes initializers that are listed as inputs, and says that they are constants now', async () => {
    const built = weights(model({ opset: 17 }))
      .input('x', 'float32', ['n', 16, 6, 6])
      .input('w1', 'float32', [32, 16, 3, 3])
      .node('Conv', ['x', 'w1', 'b1'], ['y'], pads)
      .output('y')
      .build()
    const { integer, model: quantized, diagnostics } = await quantize(built, { x: image })
    expect(integer).toEqual(['Conv'])
    expect(quantized.graph.inputs.map(({ name }) => name)).toEqual(['x'])
    expect(diagnostics.map(({ code }) => code)).toContain('input_frozen')
  })

  /** Attributes of old opsets: Clip and Squeeze without inputs, Softmax over all later axes. */
  function oldModel(opset: number): Model {
    return weights(model({ opset, irVersion: 5 }))
      .input('x', 'float32', ['n', 16, 6, 6])
      .floats('w3', [10, 32], randomValues(320, 5, 0.2))
      .floats('b3', [10], randomValues(10, 6))
      .node('Conv', ['x', 'w1', 'b1'], ['c'], pads)
      .node('Relu', ['c'], ['r'])
      .node('Conv', ['r', 'w2'], ['d'], pads)
      .node('Add', ['d', 'r'], ['s'])
      .node('GlobalAveragePool', ['s'], ['p'])
      .node('Squeeze', ['p'], ['q'], { axes: attr.ints([2, 3]) })
      .node('Gemm', ['q', 'w3', 'b3'], ['g'], { transB: 1 })
      .node('Softmax', ['g'], ['y'], { axis: 1 })
      .output('y')
      .build()
  }

  it.each([7, 9, 10, 11, 12])('raises opset %i, and quantizes per channel', async (opset) => {
    const { integer, model: quantized, layers } = await quantize(oldModel(opset), { x: image })
    expect(onnxOpset(quantized)).toBe(13)
    expect(integer).toEqual(['Conv', 'Conv', 'Add', 'GlobalAveragePool', 'Gemm'])
    expect(layers[0]?.weight?.granularity).toBe('per_channel')
  })

  it.each([7, 12, 17])('raises opset %i to 21 for 16 bits', async (opset) => {
    const built = opset === 17 ? oldModel(12) : oldModel(opset)
    const options = { activationType: 'int16' } as const
    const { integer, model: quantized } = await quantize(built, { x: image }, options)
    expect(onnxOpset(quantized)).toBe(21)
    expect(integer).toContain('Conv')
  })

  /** A mode of Resize that opset 13 no longer has. */
  function unraisable(opset: number): Model {
    return weights(model({ opset, irVersion: 6 }))
      .input('x', 'float32', ['n', 16, 6, 6])
      .floats('roi', [0], [])
      .floats('scales', [4], [1, 1, 2, 2])
      .node('Conv', ['x', 'w1', 'b1'], ['c'], pads)
      .node('Relu', ['c'], ['r'])
      .node('Conv', ['r', 'w2'], ['d'], pads)
      .node('Resize', ['d', 'roi', 'scales'], ['y'], {
        mode: 'nearest',
        coordinate_transformation_mode: 'tf_half_pixel_for_nn',
      })
      .output('y')
      .build()
  }

  it('keeps one scale per weight where the opset cannot be raised', async () => {
    const { layers, model: quantized, diagnostics } = await quantize(unraisable(11), { x: image })
    expect(onnxOpset(quantized)).toBe(11)
    expect(layers[0]).toMatchObject({ decision: 'integer', weight: { granularity: 'per_tensor' } })
    expect(diagnostics.map(({ code }) => code)).toContain('opset_not_raised')
  })
})
