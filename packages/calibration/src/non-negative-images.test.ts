import { toBatches } from '@pare/datasets'
import { attr, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { createRandom } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrate } from './calibrate.js'
import { nonNegativeImages } from './non-negative-images.js'

const CHANNELS = 16

function network(opset = 17): Model {
  const random = createRandom(3)
  const weights = (...dims: readonly number[]) =>
    Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => random.normal())
  return model({ opset })
    .input('x', 'float32', ['n', 3, 8, 8])
    .floats('w1', [CHANNELS, 3, 3, 3], weights(CHANNELS, 3, 3, 3))
    .floats('w2', [CHANNELS, CHANNELS, 1, 1], weights(CHANNELS, CHANNELS, 1, 1))
    .floats('fc', [CHANNELS, 4], weights(CHANNELS, 4))
    .node('Conv', ['x', 'w1'], ['c1'])
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'])
    .node('Clip', ['c2', 'zero', 'six'], ['r6'])
    .node('Clip', ['c2', 'one', 'six'], ['r16'])
    .node('Add', ['r1', 'r6'], ['both'])
    .node('Add', ['r1', 'c2'], ['signed'])
    .node('Add', ['r1', 'one'], ['more'])
    .node('MaxPool', ['both'], ['pooled'], { kernel_shape: attr.ints([2, 2]) })
    .node('GlobalAveragePool', ['pooled'], ['mean'])
    .node('Flatten', ['mean'], ['flat'])
    .node('MatMul', ['flat', 'fc'], ['y'])
    .node('Relu', ['y'], ['z'])
    .floats('zero', [], [0])
    .floats('one', [], [1])
    .floats('six', [], [6])
    .output('z')
    .build()
}

function batch(seed: number, scale = 1) {
  const random = createRandom(seed)
  const data = Float32Array.from({ length: 2 * 3 * 64 }, () => random.normal() * scale)
  return { x: { dataType: 'float32', dims: [2, 3, 8, 8], data } as const }
}

describe('nonNegativeImages', () => {
  it('are what operators behind convolutions cannot make negative', () => {
    const found = [...nonNegativeImages(network())].sort()
    expect(found).toEqual(['both', 'mean', 'pooled', 'r1', 'r6'])
  })

  it('reads the attribute that a Clip had before opset 11', () => {
    const built = model({ opset: 9 })
      .input('x', 'float32', ['n', 1, 4, 4])
      .floats('w', [1, 1, 1, 1], [1])
      .node('Conv', ['x', 'w'], ['c'])
      .node('Clip', ['c'], ['r6'], { min: attr.float(0), max: attr.float(6) })
      .node('Clip', ['c'], ['low'], { min: attr.float(-1), max: attr.float(6) })
      .output('r6')
      .output('low')
      .build()
    expect([...nonNegativeImages(built)]).toEqual(['r6'])
  })
})

describe('calibrate, on images that cannot be negative', () => {
  const runtime = onnxRuntime()
  const points = ['r1', 'c2', 'r6', 'both', 'pooled', 'mean', 'z']

  it('finds the same ends as in all of their values', async () => {
    const batches = [batch(1), batch(2, 3)]
    const { tensors } = await calibrate({
      model: network(),
      points,
      runtime,
      batches: toBatches(batches),
    })
    const { graph, ...rest } = network()
    const outputs = points.map((name) => ({ name, metadataProps: [] }))
    const session = await runtime.createSession(
      encodeModel({ ...rest, graph: { ...graph, outputs } }),
    )
    for (const point of points) {
      let [min, max] = [0, -Infinity]
      for (const feeds of batches) {
        for (const value of (await session.run(feeds))[point]!.data as Float32Array) {
          min = Math.min(min, value)
          max = Math.max(max, value)
        }
      }
      const { range } = tensors[point]!.state
      expect(range!.max, point).toBeCloseTo(max, 4)
      expect(Math.min(0, range!.min), point).toBeCloseTo(min, 4)
      expect(tensors[point]!.rank).toBe(point === 'z' ? 2 : 4)
    }
    await session.release()
  })

  it('counts what is not finite in them', async () => {
    const spoiled = batch(1)
    spoiled.x.data[5] = Infinity
    const { tensors } = await calibrate({
      model: network(),
      points,
      runtime,
      batches: toBatches([spoiled]),
    })
    expect(tensors['r1']!.state.nonFinite).toBeGreaterThan(0)
    expect(Number.isFinite(tensors['r1']!.state.range!.max)).toBe(true)
  })
})
