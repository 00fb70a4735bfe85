import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { randomFeeds, randomNetwork } from '../random-network.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { observationPoints } from './observation-points.js'
import { quantizeStatic } from './quantize-static.js'

const built = model({ opset: 17 })
  .input('x', 'float32', ['n', 8, 6, 6])
  .floats('w', [8, 8, 3, 3], randomValues(576, 1))
  .floats('g', [8, 4], randomValues(32, 2))
  .node('Conv', ['x', 'w'], ['a'])
  .node('Relu', ['a'], ['r'])
  .node('GlobalAveragePool', ['r'], ['p'])
  .node('Flatten', ['p'], ['f'])
  .node('Gemm', ['f', 'g'], ['y'])
  .output('y')
  .build()

const feeds = { x: randomTensor([4, 8, 6, 6], 3) }

describe('observationPoints', () => {
  it('names what will be quantized: no folded value, no shared one, no float output', () => {
    expect(observationPoints(built)).toEqual(['x', 'r', 'p'])
  })

  it.each([
    { symmetric: true },
    { symmetric: true, activationType: 'int8' },
    { opTypesToQuantize: ['Gemm'] },
    { opTypesToQuantize: ['Conv'] },
    { perChannel: false },
    { activationType: 'int16' },
    { blockSize: 16 },
    { format: 'QOperator' },
  ] as const)('of the defaults serve %o as well', async (options) => {
    const statistics = await calibrated(built, [feeds])
    const { model: quantized, diagnostics } = quantizeStatic(built, statistics, options)
    expect(diagnostics.map(({ code }) => code)).not.toContain('no_calibration_range')
    const [before, after] = [await runModel(built, feeds), await runModel(quantized, feeds)]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(25)
  })

  it.each([
    {},
    { symmetric: true },
    { activationType: 'int16' },
    { activationType: 'uint16', symmetric: true },
    { blockSize: 16 },
  ] as const)('of the defaults lack nothing of random networks with %o', async (options) => {
    for (let seed = 1; seed <= 12; seed++) {
      const network = randomNetwork(seed)
      const statistics = await calibrated(network, [randomFeeds(seed)])
      const { diagnostics } = quantizeStatic(network, statistics, options)
      expect(diagnostics.map(({ code }) => code)).not.toContain('no_calibration_range')
    }
  })

  it('name what a detector joins at its end, to tell why that stays float', () => {
    const detector = model({ opset: 17 })
      .input('x', 'float32', ['n', 8, 6, 6])
      .floats('w', [8, 8, 3, 3], randomValues(576, 1))
      .node('Conv', ['x', 'w'], ['a'])
      .node('Tanh', ['a'], ['t'])
      .node('Exp', ['a'], ['e'])
      .node('Concat', ['t', 'e'], ['y'], { axis: 1 })
      .output('y')
    expect(observationPoints(detector.build())).toEqual(['x', 'a', 't', 'e'])
  })

  it('name what does not pay, which is quantized where nothing else is', () => {
    const small = model()
      .input('x', 'float32', [1, 2, 6, 6])
      .floats('w', [2, 2, 1, 1], randomValues(4, 1))
      .node('Conv', ['x', 'w'], ['y'])
      .output('y')
    expect(observationPoints(small.build())).toEqual(['x', 'y'])
  })

  it('says why when nothing can be quantized, before any data is read', () => {
    const bare = model().input('x', 'float32', [1, 4]).node('Relu', ['x'], ['y']).output('y')
    expect(() => observationPoints(bare.build())).toThrow('no Conv, Gemm or MatMul')
  })
})
