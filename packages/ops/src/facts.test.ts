import { attr, attributes, type Node } from '@pare/graph'
import { describe, expect, it } from 'vitest'

import {
  isDeterministic,
  isNeverInteger,
  layerWeight,
  macsOf,
  opFacts,
  sharesQuantization,
  sinceVersion,
} from './index.js'

function node(opType: string, more: Partial<Node> = {}): Node {
  return {
    name: '',
    opType,
    domain: '',
    inputs: ['x', 'w', 'r'],
    outputs: ['y'],
    attributes: new Map(),
    metadataProps: [],
    ...more,
  }
}

const shapes = (known: Record<string, readonly number[]>) => (value: string) => known[value]

describe('layerWeight', () => {
  it('finds output channels by operator, attribute and rank', () => {
    const transB = attributes({ transB: attr.int(1) })
    expect(layerWeight(node('Conv'), 4)?.outChannelAxis).toBe(0)
    expect(layerWeight(node('ConvTranspose'), 4)?.outChannelAxis).toBe(1)
    expect(layerWeight(node('Gemm'), 2)?.outChannelAxis).toBe(1)
    expect(layerWeight(node('Gemm', { attributes: transB }), 2)?.outChannelAxis).toBe(0)
    expect(layerWeight(node('MatMul'), 3)).toEqual({
      input: 1,
      outChannelAxis: 2,
      inChannelAxis: 1,
    })
    expect(layerWeight(node('Relu'), 2)).toBeUndefined()
  })
})

describe('macsOf', () => {
  it('counts a grouped convolution: outputs × C/group × kernel', () => {
    // ResNet-18's first layer has 118,013,952 multiply-accumulates.
    const known = shapes({ w: [64, 3, 7, 7], y: [1, 64, 112, 112] })
    expect(macsOf(node('Conv'), known)).toBe(118013952)
    const depthwise = shapes({ w: [32, 1, 3, 3], y: [1, 32, 10, 10] })
    expect(macsOf(node('Conv'), depthwise)).toBe(32 * 100 * 9)
  })

  it('counts a transposed convolution from its input', () => {
    const known = shapes({ x: [1, 8, 4, 4], w: [8, 5, 2, 2], y: [1, 5, 8, 8] })
    expect(macsOf(node('ConvTranspose'), known)).toBe(8 * 16 * 5 * 4)
  })

  it('counts matrix products over the summed axis', () => {
    const known = shapes({ x: [6, 2, 3], w: [3, 5], y: [6, 2, 5] })
    expect(macsOf(node('MatMul'), known)).toBe(6 * 2 * 5 * 3)
    const transA = node('Gemm', { attributes: attributes({ transA: attr.int(1) }) })
    expect(macsOf(transA, shapes({ x: [7, 2], w: [7, 5], y: [2, 5] }))).toBe(70)
  })

  it('counts recurrent layers per step and einsum per combination of letters', () => {
    const lstm = shapes({ x: [10, 2, 3], w: [1, 16, 3], r: [1, 16, 4] })
    expect(macsOf(node('LSTM'), lstm)).toBe(20 * (48 + 64))
    const equation = attributes({ equation: attr.string('bik,bkj->bij') })
    const einsum = node('Einsum', { attributes: equation })
    expect(macsOf(einsum, shapes({ x: [2, 3, 4], w: [2, 4, 5] }))).toBe(2 * 3 * 4 * 5)
  })

  it('is unknown without shapes and zero for operators that multiply no weights', () => {
    expect(macsOf(node('Conv'), shapes({}))).toBeUndefined()
    expect(macsOf(node('Relu'), shapes({}))).toBe(0)
    expect(macsOf(node('Nonsense'), shapes({}))).toBe(0)
  })
})

describe('facts about single operators', () => {
  it('knows in which opset 8 bits pass through', () => {
    expect(sharesQuantization(node('MaxPool'), 11)).toBe(false)
    expect(sharesQuantization(node('MaxPool'), 12)).toBe(true)
    expect(sharesQuantization(node('Relu'), 17)).toBe(false)
  })

  it('knows where Q/DQ is pure cost', () => {
    expect(isNeverInteger(node('LayerNormalization'), 17)).toBe(true)
    expect(isNeverInteger(node('Conv'), 17)).toBe(false)
    expect(isNeverInteger(node('Reshape'), 17)).toBe(false)
  })

  it('finds the definition a model uses', () => {
    expect(sinceVersion(node('Softmax'), 12)).toBe(11)
    expect(sinceVersion(node('Softmax'), 17)).toBe(13)
    expect(sinceVersion(node('LayerNormalization'), 16)).toBeUndefined()
  })

  it('tells domains apart and knows random operators', () => {
    expect(opFacts(node('QGemm'))).toBeUndefined()
    expect(opFacts(node('QGemm', { domain: 'com.microsoft' }))?.family).toBe('matmul')
    expect(isDeterministic(node('RandomNormal'))).toBe(false)
    expect(isDeterministic(node('Conv'))).toBe(true)
  })
})
