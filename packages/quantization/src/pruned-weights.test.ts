// Weights that pruning made 0 stay 0, whatever is done to the model after it.
import { type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { WEIGHT_ALGORITHMS, type WeightBits } from '@pare/recipe'
import { toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { equalizeLayers } from './equalization/equalize.js'
import { convertFloat16 } from './float16/index.js'
import { integerLayers } from './layers/integer-layers.js'
import { sourceOf } from './layers/testing.js'
import { adaRound } from './rounding/adaround.js'
import type { QuantizeStaticOptions } from './static/options.js'
import { quantizeStatic } from './static/quantize-static.js'
import { calibrated, randomTensor, randomValues } from './testing.js'
import { dequantize, type WeightMatrix } from './weights/block-grid.js'
import { quantizeMatrix } from './weights/quantize-matrix.js'
import { correlatedInputs, gramOf, randomMatrix } from './weights/testing.js'

/** The smaller 60 % become 0. */
function pruned(values: Float32Array): Float32Array {
  const sorted = values.map(Math.abs).sort()
  const threshold = sorted[Math.floor(0.6 * values.length)]!
  return values.map((value) => (Math.abs(value) < threshold ? 0 : value))
}

function prunedMatrix(seed: number): WeightMatrix {
  const matrix = randomMatrix(12, 96, seed)
  const values = pruned(matrix.values)
  // One sign only: a grid that need not contain 0.
  for (let i = 0; i < 96; i++) values[i] = Math.abs(values[i]!)
  return { ...matrix, values }
}

function network(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [16, 8, 3, 3], pruned(randomValues(1152, 1)))
    .floats('b1', [16], randomValues(16, 2))
    .floats('w2', [16, 16, 1, 1], pruned(randomValues(256, 3)))
    .floats('w3', [16, 6], pruned(randomValues(96, 4)))
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'])
    .node('Relu', ['c2'], ['r2'])
    .node('GlobalAveragePool', ['r2'], ['p'])
    .node('Flatten', ['p'], ['f'])
    .node('Gemm', ['f', 'w3'], ['y'])
    .output('y')
    .build()
}

const WEIGHTS = ['w1', 'w2', 'w3'] as const
const BATCHES = [1, 2].map((seed) => ({ x: randomTensor([16, 8, 8, 8], seed) }))

function zeroPlaces(values: Float32Array): readonly number[] {
  return [...values.keys()].filter((i) => values[i] === 0)
}

/** Of the weight of each layer, whatever it is called. */
function zerosOf({ graph }: Model): readonly (readonly number[])[] {
  return graph.nodes
    .filter(({ opType }) => opType === 'Conv' || opType === 'Gemm')
    .map(({ inputs }) => zeroPlaces(toFloat32(graph.initializers.get(inputs[1]!)!)))
}

describe('weights that are 0', () => {
  const gram = gramOf(correlatedInputs(300, 96, 7), 96)
  const cases = WEIGHT_ALGORITHMS.flatMap((algorithm) =>
    ([8, 4, 2] as const).flatMap((bits) =>
      [true, false].flatMap((symmetric) =>
        [true, false].map((actOrder) => [algorithm, bits, symmetric, actOrder] as const),
      ),
    ),
  )

  it.each(cases)('stay 0 by %s, %i bits, symmetric %s, act_order %s', (...choice) => {
    const [algorithm, bits, symmetric, actOrder] = choice
    for (const scaleType of ['float32', 'float16'] as const) {
      const matrix = prunedMatrix(3)
      const spec = { bits: bits satisfies WeightBits, blockSize: 32, symmetric, scaleType }
      const options = { algorithm, damping: 0.01, actOrder }
      const inputGram = { rows: 300, columns: 96, gram, magnitude: new Float64Array(96) }
      const by = quantizeMatrix(matrix, spec, { options, gram: inputGram })
      expect(by.algorithm).toBe(algorithm)
      const after = dequantize(by.quantized).values
      expect(zeroPlaces(matrix.values).every((i) => after[i] === 0)).toBe(true)
    }
  })

  it.each([
    {},
    { perChannel: false },
    { reduceRange: true },
    { weightType: 'uint8' },
    { weightType: 'uint8', perChannel: false },
    { weightType: 'uint8', blockSize: 16 },
    { weightType: 'int16', activationType: 'uint16' },
    { blockSize: 16 },
  ] satisfies QuantizeStaticOptions[])('stay 0 in static quantization, %o', async (options) => {
    const built = network()
    const statistics = await calibrated(built, BATCHES, options)
    const layers = integerLayers(built, quantizeStatic(built, statistics, options))
    expect(layers).toHaveLength(3)
    for (const { float, integers } of layers) {
      const after = integers.values()
      expect(zeroPlaces(toFloat32(float.weight)).every((i) => after[i] === 0)).toBe(true)
    }
  })

  it('stay 0 when AdaRound chooses the roundings', async () => {
    // As coarse as four bits, so that there is much to choose.
    const options = { perChannel: false, isa: 'vnni' } as const
    const built = network()
    for (const name of WEIGHTS) {
      const values = toFloat32(built.graph.initializers.get(name)!)
      values[values.findIndex((value) => value !== 0)] = 40
    }
    const statistics = await calibrated(built, BATCHES, options)
    const quantized = quantizeStatic(built, statistics, options)
    const source = sourceOf(onnxRuntime(), BATCHES)
    const result = await adaRound({ model: built, quantized, source, iterations: 100 })
    expect(result.rounded.some(({ flipped }) => flipped > 0)).toBe(true)
    const after = integerLayers(result.model, quantizeStatic(result.model, statistics, options))
    for (const [i, { integers }] of after.entries()) {
      const values = integers.values()
      expect(zerosOf(built)[i]!.every((at) => values[at] === 0)).toBe(true)
    }
  })

  it('stay 0 in float16, and when layers are equalized', () => {
    const built = network()
    expect(zerosOf(equalizeLayers(built).model)).toEqual(zerosOf(built))
    expect(zerosOf(convertFloat16(built).model)).toEqual(zerosOf(built))
  })
})
