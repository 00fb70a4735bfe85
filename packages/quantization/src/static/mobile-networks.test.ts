// Networks like MobileNet: depthwise convolutions and Relu6, each block an integer region.
import { attr, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { decodeModel, encodeModel } from '@pare/onnx'
import { tensorFromFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeVerified } from './quantize-verified.js'

type Relu6 = 'initializers' | 'constants' | 'attributes'

let values = 0

/** Relu6 as exporters of each age write it. */
function relu6(graph: ModelBuilder, input: string, kind: Relu6): string {
  const output = `${input}_6`
  if (kind === 'attributes') {
    graph.node('Clip', [input], [output], { min: attr.float(0), max: attr.float(6) })
  } else if (kind === 'constants') {
    const constant = (name: string, value: number) =>
      graph.node('Constant', [], [name], { value: tensorFromFloat32([], Float32Array.of(value)) })
    constant(`${output}_min`, 0)
    constant(`${output}_max`, 6)
    graph.node('Clip', [input, `${output}_min`, `${output}_max`], [output])
  } else graph.node('Clip', [input, 'zero', 'six'], [output])
  return output
}

interface Shape {
  readonly channels: readonly [number, number]
  readonly kernel: number
  readonly group?: number
}

/** A convolution whose output channels differ a hundred times in range, as depthwise ones do. */
function conv(graph: ModelBuilder, input: string, { channels, kernel, group = 1 }: Shape): string {
  const [inputs, outputs] = channels
  const perGroup = inputs / group
  const size = perGroup * kernel * kernel
  const id = values++
  const weight = randomValues(outputs * size, id + 1, Math.sqrt(2 / size)).map(
    (value, i) => value * (group > 1 ? 10 ** ((Math.floor(i / size) % 5) / 2 - 1) : 1),
  )
  const output = `c${id}`
  graph
    .floats(`w${id}`, [outputs, perGroup, kernel, kernel], weight)
    .floats(`b${id}`, [outputs], randomValues(outputs, id + 100, 0.3))
    .node('Conv', [input, `w${id}`, `b${id}`], [output], {
      group,
      pads: new Array<number>(4).fill((kernel - 1) / 2),
    })
  return output
}

/** Expand, depthwise, project; with a sum where the shapes agree. */
function block(graph: ModelBuilder, input: string, out: number, kind: Relu6): string {
  const wide = relu6(graph, conv(graph, input, { channels: [16, 96], kernel: 1 }), kind)
  const depthwise = conv(graph, wide, { channels: [96, 96], kernel: 3, group: 96 })
  const narrow = conv(graph, relu6(graph, depthwise, kind), { channels: [96, out], kernel: 1 })
  if (out !== 16) return narrow
  graph.node('Add', [input, narrow], [`${narrow}_s`])
  return `${narrow}_s`
}

function mobileNet(opset: number, kind: Relu6): Model {
  values = 0
  const graph = model({ opset, irVersion: 6 })
    .input('x', 'float32', ['n', 3, 16, 16])
    .floats('zero', [], [0])
    .floats('six', [], [6])
  let value = relu6(graph, conv(graph, 'x', { channels: [3, 16], kernel: 3 }), kind)
  for (const out of [16, 16, 32]) value = block(graph, value, out, kind)
  graph
    .node('GlobalAveragePool', [value], ['p'])
    .node('Flatten', ['p'], ['f'])
    .floats('w', [32, 10], randomValues(320, 50, 0.3))
    .floats('b', [10], randomValues(10, 51))
    .node('Gemm', ['f', 'w', 'b'], ['y'])
  return graph.output('y').build()
}

describe('MobileNet-like networks', () => {
  it.each([
    [10, 'attributes'],
    [11, 'initializers'],
    [17, 'initializers'],
    [17, 'constants'],
  ] as const)('fold Relu6 into integer kernels, opset %i with %s', async (opset, kind) => {
    const built = mobileNet(opset, kind)
    const feeds = { x: randomTensor([8, 3, 16, 16], 7) }
    const statistics = await calibrated(built, [feeds])
    const result = await quantizeVerified({ model: built, statistics, optimize })
    const kernels = result.layers.map(
      ({ opType, kernel, reason }) => `${opType} ${kernel ?? reason}`,
    )
    const blocks = ['Conv QLinearConv', 'Conv QLinearConv', 'Conv QLinearConv']
    expect(kernels).toEqual([
      'Conv not_worth_converting',
      ...blocks,
      'Add QLinearAdd',
      ...blocks,
      'Add QLinearAdd',
      ...blocks,
      'GlobalAveragePool QLinearGlobalAveragePool',
      'Gemm QGemm',
    ])
    const depthwise = result.layers.filter(({ weight }) => weight?.range === 'full')
    expect(depthwise).toHaveLength(3)
    for (const { weight } of depthwise) {
      expect(weight).toMatchObject({ granularity: 'per_channel', channels: 96 })
    }
    const optimized = decodeModel(await optimize(encodeModel(result.model)))
    const left = optimized.graph.nodes.filter(({ opType }) => opType === 'Clip')
    expect(left.length).toBeLessThanOrEqual(1)
    const [before, after] = [await runModel(built, feeds), await runModel(result.model, feeds)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(25)
  })
})
