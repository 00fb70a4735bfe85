import { attr, indexGraph, type Node } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { elementCount, type Tensor, tensorFromFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { type Layer, layerForm, readLayer } from './index.js'

type Attributes = Parameters<ReturnType<typeof model>['node']>[3]

interface Given {
  readonly dims?: readonly number[]
  readonly attributes?: Attributes
  /** Position of the weight. */
  readonly at?: number
  readonly domain?: string
}

function zeros(dims: readonly number[]): Tensor {
  return tensorFromFloat32(dims, new Float32Array(elementCount(dims)))
}

/** What `readLayer` says of a single node. */
function read(opType: string, { dims, attributes, at = 1, domain }: Given = {}) {
  const inputs = ['x', 'x2', 'r', 'b'].slice(0, opType === 'LSTM' ? 4 : 2)
  if (dims !== undefined) inputs[at] = 'w'
  const builder = model().input('x', 'float32', ['n', 4]).input('x2', 'float32', ['n', 4])
  if (dims !== undefined) builder.initializer('w', zeros(dims))
  builder.initializer('r', zeros([1, 16, 4])).initializer('b', zeros([1, 32]))
  const built = builder.node(opType, inputs, ['y'], attributes).output('y').build()
  const node: Node = { ...built.graph.nodes[0]!, domain: domain ?? '' }
  return readLayer(node, indexGraph(built.graph))
}

function layer(opType: string, given: Given): Layer {
  const found = read(opType, given)
  if (found === undefined || 'reason' in found) throw new Error(`${opType} is no layer`)
  return found
}

describe('readLayer', () => {
  it.each([
    ['Conv', { dims: [8, 4, 3, 3] }, { outputAxis: 0, inputAxis: 1, inputs: 4, outputs: 8 }],
    ['Gemm', { dims: [4, 8] }, { outputAxis: 1, inputAxis: 0, inputs: 4, outputs: 8 }],
    [
      'Gemm',
      { dims: [8, 4], attributes: { transB: 1 } },
      { outputAxis: 0, inputAxis: 1, inputs: 4, outputs: 8 },
    ],
    ['MatMul', { dims: [1, 4, 8] }, { outputAxis: 2, inputAxis: 1, inputs: 4, outputs: 8 }],
    ['LSTM', { dims: [1, 16, 4] }, { outputAxis: 1, inputAxis: 2, inputs: 4, outputs: 16 }],
    [
      'Gather',
      { dims: [50, 8], at: 0 },
      { outputAxis: 1, inputAxis: 0, inputs: 50, outputs: 8, dataInput: 1 },
    ],
  ] as const)('says along which axes the weight of %s lies', (opType, given, expected) => {
    expect(layer(opType, given)).toMatchObject(expected)
  })

  it('counts the channels of all groups, on whichever side the weight holds those of one', () => {
    const group = { group: 2 }
    expect(layer('Conv', { dims: [8, 3, 1, 1], attributes: group })).toMatchObject({
      ...{ groups: 2, inputs: 6, outputs: 8, perGroup: 'input' },
    })
    expect(layer('ConvTranspose', { dims: [6, 4, 1, 1], attributes: group })).toMatchObject({
      ...{ groups: 2, inputs: 6, outputs: 8, perGroup: 'output' },
    })
  })

  it('finds bias, factors and the second weight of a recurrent layer', () => {
    const lstm = layer('LSTM', { dims: [1, 16, 4] })
    expect(lstm.furtherWeights.map(({ name }) => name)).toEqual(['r'])
    expect(lstm.biasName).toBe('b')
    const factors = { alpha: attr.float(0.5), beta: attr.float(2) }
    const gemm = layer('Gemm', { dims: [4, 8], attributes: factors })
    expect(gemm).toMatchObject({ weightFactor: 0.5, biasFactor: 2, biasName: undefined })
  })

  it('says where the channels of input and output lie', () => {
    expect(layer('Conv', { dims: [8, 4, 3] })).toMatchObject({ channelAxis: -2, dataRank: 3 })
    expect(layer('Gemm', { dims: [4, 8] })).toMatchObject({ channelAxis: -1, dataRank: 2 })
    expect(layer('MatMul', { dims: [4, 8] })).toMatchObject({ channelAxis: -1 })
  })

  it('tells unusual matrices', () => {
    const unusual = (given: Given) => layer('MatMul', given).unusual?.message
    expect(unusual({ dims: [4, 8] })).toBeUndefined()
    expect(unusual({ dims: [4] })).toBe('its weight is a vector')
    expect(unusual({ dims: [2, 4, 8] })).toBe('its weight has batch dimensions')
    const transA = { dims: [4, 8], attributes: { transA: 1 } }
    expect(layer('Gemm', transA).unusual?.message).toBe('its first input is transposed')
  })

  it('tells a layer whose weight is computed from a node that is no layer', () => {
    expect(read('Conv')).toMatchObject({ reason: 'weight_not_constant' })
    expect(read('MatMul', { dims: [4, 4], at: 0 })).toMatchObject({
      message: 'its constant is the left operand',
    })
    expect(read('MatMul')).toBeUndefined()
    expect(read('Gather')).toBeUndefined()
    expect(read('Add', { dims: [4, 4] })).toBeUndefined()
  })

  it('follows the attributes of fused products', () => {
    const fused = { dims: [8, 4], attributes: { transB: 1 }, domain: 'com.microsoft' }
    expect(layer('FusedMatMul', fused)).toMatchObject({ inputs: 4, outputs: 8 })
  })
})

describe('layerForm', () => {
  it('shows every weight as rows of channels and columns of a group', () => {
    const group = { group: 2 }
    expect(layerForm(layer('Conv', { dims: [8, 3, 5, 5], attributes: group }))).toEqual({
      ...{ first: 8, second: 3, inner: 25, rows: 'output', rowsPerGroup: 4 },
    })
    expect(layerForm(layer('ConvTranspose', { dims: [6, 4, 2], attributes: group }))).toEqual({
      ...{ first: 6, second: 4, inner: 2, rows: 'input', rowsPerGroup: 3 },
    })
    expect(layerForm(layer('MatMul', { dims: [1, 4, 8] }))).toEqual({
      ...{ first: 4, second: 8, inner: 1, rows: 'input', rowsPerGroup: 4 },
    })
    expect(layerForm(layer('MatMul', { dims: [2, 4, 8] }))).toBeUndefined()
    expect(layerForm(layer('MatMul', { dims: [4] }))).toBeUndefined()
  })
})
