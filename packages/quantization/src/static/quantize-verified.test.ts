import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeStatic } from './quantize-static.js'
import { quantizeVerified } from './quantize-verified.js'
import { readBack } from './read-back.js'

const feeds = { x: randomTensor([2, 8, 6, 6], 1) }

/** A Conv whose output two others read. */
function forked(): Model {
  const weights = (seed: number) => randomValues(576, seed, 0.2)
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 6, 6])
    .floats('w1', [8, 8, 3, 3], weights(1))
    .floats('w2', [8, 8, 3, 3], weights(2))
    .floats('w3', [8, 8, 3, 3], weights(3))
    .node('Conv', ['x', 'w1'], ['a'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['a'], ['r'])
    .node('Conv', ['r', 'w2'], ['b'], { pads: [1, 1, 1, 1] })
    .node('Add', ['b', 'r'], ['s'])
    .node('Conv', ['s', 'w3'], ['y'], { pads: [1, 1, 1, 1] })
    .output('y')
    .build()
}

describe('quantizeVerified', () => {
  it('is done after one look when everything was fused', async () => {
    const built = forked()
    const statistics = await calibrated(built, [feeds])
    const result = await quantizeVerified({ model: built, statistics, optimize })
    expect(result.rounds).toBe(1)
    expect(result.layers.map(({ kernel }) => kernel)).toEqual([
      'QLinearConv',
      'QLinearConv',
      'QLinearAdd',
      'QLinearConv',
    ])
    expect(encodeModel(result.model)).toEqual(encodeModel(quantizeStatic(built, statistics).model))
  })

  // onnxruntime does not fuse int8 activations with several readers on x64; it does elsewhere.
  it.runIf(process.arch === 'x64')('leaves float what onnxruntime does not fuse', async () => {
    const built = forked()
    const options = { activationType: 'int8' } as const
    const statistics = await calibrated(built, [feeds], options)
    const naive = quantizeStatic(built, statistics, options)
    const { unfused } = await readBack(naive.model, naive.layers, optimize)
    expect(unfused.length).toBeGreaterThan(0)

    const result = await quantizeVerified({ model: built, statistics, options, optimize })
    expect(result.rounds).toBeGreaterThan(1)
    expect(result.layers.some(({ decision }) => decision === 'integer')).toBe(true)
    for (const { decision, kernel, reason } of result.layers) {
      if (decision === 'integer') expect(kernel).not.toMatch(/^float:/)
      else expect(reason).toMatch(/not_fused_by_runtime|input_float|output_float/)
    }
    expect(result.diagnostics.some(({ code }) => code === 'not_fused_by_runtime')).toBe(true)
    const [before, after] = [await runModel(built, feeds), await runModel(result.model, feeds)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })
})
