import type { Feeds } from '@pare/datasets'
import { attr, indexGraph, type Model } from '@pare/graph'
import { type AttributeSpec, model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { type WeightedLayer, weightedLayer } from '../layers/layer-weight.js'
import { sourceOf } from '../layers/testing.js'
import { randomTensor, randomValues, runModel } from '../testing.js'
import { gramOf } from '../weights/testing.js'
import { collectLayerGrams } from './layer-grams.js'
import { weightBlocks } from './weight-blocks.js'

const runtime = onnxRuntime()

function layerOf(built: Model): WeightedLayer {
  return weightedLayer(built.graph.nodes[0]!, indexGraph(built.graph)) as WeightedLayer
}

function conv(
  [channels, inputs, ...kernel]: readonly number[],
  attributes: Readonly<Record<string, AttributeSpec>>,
): Model {
  const dims = [channels!, inputs!, ...kernel]
  const count = dims.reduce((product, size) => product * size, 1)
  return model({ opset: 17 })
    .input('x')
    .floats('w', dims, randomValues(count, 1))
    .node('Conv', ['x', 'w'], ['y'], attributes)
    .output('y')
    .build()
}

async function collect(built: Model, batches: readonly Feeds[], maxColumns = 576) {
  const layer = layerOf(built)
  const blocks = weightBlocks(layer, maxColumns)!
  const [gram] = await collectLayerGrams({
    model: built,
    requests: [{ layer, blocks }],
    source: sourceOf(runtime, batches),
    samples: 1000,
    onSamples: () => undefined,
    signal: undefined,
  })
  return { layer, blocks, gram: gram! }
}

/** Σ y² of the layer's outputs without bias, per output channel, from the moments alone. */
function energies({ layer, blocks, gram }: Awaited<ReturnType<typeof collect>>): number[] {
  const weight = toFloat32(layer.weight)
  const sums = new Array<number>(layer.channels).fill(0)
  const { columns } = blocks
  for (let block = 0; block < blocks.blocks; block++) {
    for (let row = 0; row < blocks.rows; row++) {
      const w = (i: number) => weight[blocks.indexOf(block, row, i)]!
      for (let i = 0; i < columns; i++) {
        for (let j = 0; j < columns; j++) {
          const g = gram.gram[(block * columns + i) * columns + j]!
          sums[blocks.channelOf(block, row)]! += w(i) * g * w(j)
        }
      }
    }
  }
  return sums
}

/** The same from the layer's outputs. */
async function measuredEnergies(built: Model, batches: readonly Feeds[]): Promise<number[]> {
  const sums: number[] = []
  for (const feeds of batches) {
    const { dims, data } = (await runModel(built, feeds))['y']!
    const [, channels = 1] = dims
    const inner = dims.slice(2).reduce((product, size) => product * size, 1)
    for (let i = 0; i < data.length; i++) {
      const channel = Math.floor(i / inner) % channels
      sums[channel] = (sums[channel] ?? 0) + Number(data[i]) ** 2
    }
  }
  return sums
}

describe('collectLayerGrams', () => {
  const images = [{ x: randomTensor([3, 6, 9, 8], 4) }, { x: randomTensor([1, 6, 5, 7], 5) }]

  it.each([
    ['plain', [4, 6, 3, 3], {}],
    [
      'strides, pads and dilations',
      [4, 6, 3, 2],
      { strides: [2, 1], pads: [1, 0, 2, 1], dilations: [1, 2] },
    ],
    ['automatic pads', [4, 6, 3, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
    ['groups', [4, 3, 3, 3], { group: 2 }],
    ['depthwise', [12, 1, 3, 3], { group: 6, pads: [1, 1, 1, 1] }],
    ['pointwise', [5, 6, 1, 1], {}],
  ] as const)(
    'knows the energy of every output of a convolution: %s',
    async (_, dims, attributes) => {
      const built = conv(dims, attributes)
      const known = energies(await collect(built, images))
      const measured = await measuredEnergies(built, images)
      known.forEach((energy, channel) => {
        expect(energy / measured[channel]!).toBeCloseTo(1, 4)
      })
    },
  )

  it('knows it for convolutions over one and three dimensions', async () => {
    const line = conv([3, 2, 4], { pads: [1, 2] })
    const lines = [{ x: randomTensor([2, 2, 11], 6) }]
    const space = conv([3, 2, 2, 3, 2], {})
    const spaces = [{ x: randomTensor([2, 2, 4, 5, 6], 7) }]
    for (const [built, batches] of [
      [line, lines],
      [space, spaces],
    ] as const) {
      const known = energies(await collect(built, batches))
      const measured = await measuredEnergies(built, batches)
      known.forEach((energy, i) => expect(energy / measured[i]!).toBeCloseTo(1, 4))
    }
  })

  it('sums rows, columns and products of matrices of any rank, cut into blocks', async () => {
    const built = model({ opset: 17 })
      .input('x')
      .floats('w', [8, 5], randomValues(40, 1))
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const batches = [{ x: randomTensor([3, 2, 8], 1) }, { x: randomTensor([1, 5, 8], 2) }]
    const { blocks, gram } = await collect(built, batches, 4)
    const x = Float32Array.from(
      batches.flatMap((feeds) => Array.from(feeds.x.data as Float32Array)),
    )
    expect([blocks.blocks, blocks.columns, gram.rows]).toEqual([2, 4, 11])
    const whole = gramOf(x, 8)
    for (let block = 0; block < 2; block++) {
      for (let i = 0; i < 4; i++) {
        const column = block * 4 + i
        const sum = x.reduce((total, value, at) => total + (at % 8 === column ? value : 0), 0)
        expect(gram.sums[column]).toBeCloseTo(sum, 4)
        for (let j = 0; j < 4; j++) {
          const product = gram.gram[(block * 4 + i) * 4 + j]!
          expect(product).toBeCloseTo(whole[column * 8 + block * 4 + j]!, 4)
        }
      }
    }
  })

  it('looks at as much of a batch as is affordable, and leaves out what is not finite', async () => {
    const built = conv([2, 16, 3, 3], {})
    const large = { x: randomTensor([3, 16, 130, 130], 8) }
    const { gram } = await collect(built, [large])
    expect(gram.rows).toBe(128 * 128)
    const spoilt = { x: { ...randomTensor([1, 6, 4, 4], 9), data: new Float32Array(96).fill(NaN) } }
    const [clean, mixed] = [
      await collect(conv([4, 6, 3, 3], {}), images),
      await collect(conv([4, 6, 3, 3], {}), [...images, spoilt]),
    ]
    expect(mixed.gram).toEqual(clean.gram)
  })

  it('refuses to know anything without data', async () => {
    await expect(collect(conv([4, 6, 3, 3], {}), [])).rejects.toMatchObject({
      code: 'quantization_statistics_missing',
    })
  })
})

describe('weightBlocks', () => {
  it('cuts input channels, never a kernel, into the fewest equal parts', () => {
    expect(weightBlocks(layerOf(conv([4, 12, 3, 3], {})), 54)).toMatchObject({
      blocks: 2,
      rows: 4,
      columns: 54,
    })
    expect(weightBlocks(layerOf(conv([4, 12, 3, 3], { group: 2 })), 30)).toMatchObject({
      blocks: 8,
      rows: 2,
      columns: 27,
    })
    expect(weightBlocks(layerOf(conv([4, 12, 3, 3], {})), 8)).toBeUndefined()
  })

  it('finds every weight once, whatever its layout', () => {
    const gemm = (transB: 0 | 1) =>
      model({ opset: 17 })
        .input('x')
        .floats('w', transB === 1 ? [3, 8] : [8, 3], randomValues(24, 1))
        .node('Gemm', ['x', 'w'], ['y'], { transB: attr.int(transB) })
        .output('y')
        .build()
    for (const built of [gemm(0), gemm(1), conv([4, 3, 2, 1], { group: 2 })]) {
      const { blocks, rows, columns, indexOf } = weightBlocks(layerOf(built), 4)!
      const seen = new Set<number>()
      for (let block = 0; block < blocks; block++) {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) seen.add(indexOf(block, row, column))
        }
      }
      expect(seen.size).toBe(24)
      expect(Math.max(...seen)).toBe(23)
    }
  })
})
