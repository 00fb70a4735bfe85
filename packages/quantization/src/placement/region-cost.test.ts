import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { quantizeStatic } from '../static/quantize-static.js'
import { calibrated, randomTensor, randomValues } from '../testing.js'

/** 1×1 convolutions of these channels in a row, hard swish behind those that `floats` names. */
function network(channels: readonly number[], floats: readonly number[]): Model {
  const builder = model({ opset: 17 }).input('x', 'float32', ['n', channels[0]!, 4, 4])
  let value = 'x'
  channels.slice(1).forEach((output, i) => {
    const input = channels[i]!
    builder
      .floats(`w${i}`, [output, input, 1, 1], randomValues(output * input, i, 0.2))
      .node('Conv', [value, `w${i}`], [`c${i}`])
    value = `c${i}`
    if (!floats.includes(i)) return
    builder.node('HardSwish', [value], [`h${i}`])
    value = `h${i}`
  })
  return builder.output(value).build()
}

async function decisions(built: Model, size: number): Promise<readonly (string | undefined)[]> {
  const statistics = await calibrated(built, [{ x: randomTensor([2, size, 4, 4], 9) }])
  const { layers } = quantizeStatic(built, statistics)
  return layers.map(({ decision, reason }) => reason ?? decision)
}

describe('unprofitableLayers', () => {
  it('leaves a pair of small convolutions between floats in float', async () => {
    // c1 and c2: 2 · 16 · 24 products for 24 + 24 conversions; c4 alone: 128 · 128 for 256.
    const built = network([8, 24, 16, 24, 128, 128], [0, 2, 3, 4])
    const [, first, second, , last] = await decisions(built, 8)
    expect([first, second]).toEqual(['not_worth_converting', 'not_worth_converting'])
    expect(last).toBe('integer')
  })

  it('cuts off a first layer whose input costs more to convert than its output', async () => {
    const found = await decisions(network([64, 8, 128, 128], []), 64)
    expect(found).toEqual(['not_worth_converting', 'integer', 'integer'])
  })

  it('quantizes all the same where nothing pays, and warns', async () => {
    const built = network([8, 8, 8], [0])
    const statistics = await calibrated(built, [{ x: randomTensor([2, 8, 4, 4], 9) }])
    const { layers, diagnostics } = quantizeStatic(built, statistics)
    expect(layers.map(({ decision }) => decision)).toEqual(['integer', 'integer'])
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ severity: 'warning', code: 'conversions_cost_more' }),
    )
  })

  it('keeps the same pair where the region is large enough to pay', async () => {
    const built = network([24, 16, 24, 16, 24, 16, 24, 16, 24, 16, 24], [9])
    expect(new Set(await decisions(built, 24))).toEqual(new Set(['integer']))
  })
})
