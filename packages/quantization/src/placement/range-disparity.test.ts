// Heads of detectors: boxes in pixels beside scores, grid offsets added to sigmoids.
import type { Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { quantizeVerified } from '../static/quantize-verified.js'
import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'

const feeds = { x: randomTensor([2, 16, 6, 6], 1) }

/** Two convolutions, whose result `f` the heads read. */
function backbone(): ModelBuilder {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 16, 6, 6])
    .floats('w1', [32, 16, 3, 3], randomValues(4608, 2, 0.1))
    .floats('w2', [32, 32, 3, 3], randomValues(9216, 3, 0.1))
    .node('Conv', ['x', 'w1'], ['c'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c'], ['r'])
    .node('Conv', ['r', 'w2'], ['e'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['e'], ['f'])
}

/** Scores of 4 classes and boxes around 320 pixels. */
function heads(): ModelBuilder {
  return backbone()
    .floats('wb', [4, 32, 1, 1], randomValues(128, 4, 15))
    .floats('bb', [4], [320, 320, 320, 320])
    .floats('ws', [4, 32, 1, 1], randomValues(128, 5, 0.3))
    .node('Conv', ['f', 'wb', 'bb'], ['boxes'])
    .node('Conv', ['f', 'ws'], ['logits'])
    .node('Sigmoid', ['logits'], ['scores'])
}

/** Boxes and scores in one output, behind more nodes that could be integer. */
function detector(): Model {
  return heads()
    .node('Concat', ['boxes', 'scores'], ['both'], { axis: 1 })
    .floats('scale', [8, 1, 1], new Float32Array(8).fill(1.5))
    .node('Mul', ['both', 'scale'], ['scaled'])
    .node('LeakyRelu', ['scaled'], ['bent'])
    .node('GlobalAveragePool', ['bent'], ['y'])
    .output('y')
    .output('both')
    .build()
}

/** x = (σ + grid) · stride: of 8 bits over 0…80, σ would keep 3. */
function gridDecoder(): Model {
  const grid = Float32Array.from({ length: 36 }, (_, i) => (i % 6) * 16)
  return backbone()
    .floats('ws', [4, 32, 1, 1], randomValues(128, 5, 0.3))
    .floats('grid', [1, 1, 6, 6], grid)
    .floats('stride', [], [8])
    .node('Conv', ['f', 'ws'], ['logits'])
    .node('Sigmoid', ['logits'], ['offset'])
    .node('Add', ['offset', 'grid'], ['cell'])
    .node('Mul', ['cell', 'stride'], ['pixel'])
    .node('LeakyRelu', ['pixel'], ['y'])
    .output('y')
    .build()
}

async function quantize(built: Model) {
  const statistics = await calibrated(built, [feeds])
  const result = await quantizeVerified({ model: built, statistics, optimize })
  const [before, after] = [await runModel(built, feeds), await runModel(result.model, feeds)]
  const reasons = Object.fromEntries(
    result.layers.map(({ output, decision, reason }) => [output, reason ?? decision]),
  )
  return { ...result, before, after, reasons }
}

describe('ranges that differ', () => {
  it('keep a detector’s boxes and scores apart, and what is behind them float', async () => {
    const { reasons, before, after, diagnostics } = await quantize(detector())
    expect(reasons).toEqual({
      c: 'integer',
      e: 'integer',
      boxes: 'integer',
      logits: 'integer',
      scores: 'output_float',
      both: 'ranges_too_different',
      scaled: 'detector_tail',
      bent: 'detector_tail',
      y: 'detector_tail',
    })
    expect(diagnostics.find(({ node }) => node === 'bent')?.message).toContain('behind both')
    // One scale over 0…640 has steps of 2.5: every score would be 0.
    const scores = (from: typeof before) => {
      const { data, dims } = from['both']!
      return {
        dims,
        dataType: 'float32',
        data: (data as Float32Array).slice(4 * 36, 8 * 36),
      } as const
    }
    expect(sqnr(scores(before), scores(after))).toBeGreaterThan(25)
  })

  it('keep an Add at the end float, and what is behind it', async () => {
    const { reasons, before, after } = await quantize(gridDecoder())
    expect(reasons).toMatchObject({
      offset: 'input_float',
      cell: 'ranges_too_different',
      pixel: 'detector_tail',
      y: 'detector_tail',
    })
    const error = (before['y']!.data as Float32Array).map((value, i) =>
      Math.abs(value - (after['y']!.data as Float32Array)[i]!),
    )
    // In pixels; 8 bits over the grid would be wrong by up to 1.3.
    expect(Math.max(...error)).toBeLessThan(0.5)
  })

  it('keep the mean of a distribution over box edges float, with what is behind it', async () => {
    const built = backbone()
      .floats('wd', [16, 32, 1, 1], randomValues(512, 4, 0.7))
      .floats(
        'bins',
        [1, 16, 1, 1],
        Array.from({ length: 16 }, (_, i) => i),
      )
      .floats('stride', [], [32])
      .node('Conv', ['f', 'wd'], ['d'])
      .node('Softmax', ['d'], ['p'], { axis: 1 })
      .node('Conv', ['p', 'bins'], ['edge'])
      .node('Mul', ['edge', 'stride'], ['y'])
      .output('y')
      .build()
    const { reasons, before, after } = await quantize(built)
    expect(reasons).toMatchObject({ d: 'integer', p: 'output_float', edge: 'detector_tail' })
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it('do not matter to an Add inside the network, unless hardly anything would be left', async () => {
    const residual = (factor: number) =>
      backbone()
        .floats('w3', [32, 32, 3, 3], randomValues(9216, 6, factor))
        .floats('w4', [4, 32, 1, 1], randomValues(128, 7))
        .node('Conv', ['f', 'w3'], ['g'], { pads: [1, 1, 1, 1] })
        .node('Add', ['f', 'g'], ['s'])
        .node('Conv', ['s', 'w4'], ['y'])
        .output('y')
        .build()
    expect((await quantize(residual(0.004))).reasons).toMatchObject({ s: 'integer' })
    expect((await quantize(residual(0.0001))).reasons).toMatchObject({ s: 'ranges_too_different' })
  })

  it('keep a Where float, and one of an infinite constant', async () => {
    const where = (constant: number) =>
      backbone()
        .floats('k', [], [constant])
        .floats('w4', [4, 32, 1, 1], randomValues(128, 7))
        .input('m', 'bool', [6, 6])
        .node('Where', ['m', 'f', 'k'], ['s'])
        .node('LeakyRelu', ['s'], ['t'])
        .node('Conv', ['t', 'w4'], ['y'])
        .output('y')
        .build()
    const m = { dataType: 'bool', dims: [6, 6], data: new Uint8Array(36).fill(1) } as const
    for (const [constant, reason] of [
      [0, 'integer'],
      [1000, 'ranges_too_different'],
      [-Infinity, 'ranges_too_different'],
    ] as const) {
      const built = where(constant)
      const statistics = await calibrated(built, [{ ...feeds, m }])
      const { layers } = await quantizeVerified({ model: built, statistics, optimize })
      const choice = layers.find(({ output }) => output === 's')
      expect(choice?.reason ?? choice?.decision, `${constant}`).toBe(reason)
    }
  })
})
