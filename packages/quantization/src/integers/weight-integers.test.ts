import { attr, indexGraph } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { WEIGHT_TYPES } from '@pare/recipe'
import { tensorFromFloat32, tensorFromStored } from '@pare/tensor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type WeightedLayer, weightedLayer } from '../layers/layer-weight.js'
import { randomValues, runModel } from '../testing.js'
import { INTEGER_RANGES } from './integer-type.js'
import { type WeightIntegers, weightIntegers, type WeightScheme } from './weight-integers.js'

const DIMS = { Conv: [3, 10, 2, 2], MatMul: [10, 3], Gemm: [3, 10] } as const

type OpType = keyof typeof DIMS

function layerOf(opType: OpType, values: Float32Array): WeightedLayer {
  const { graph } = model()
    .input('x')
    .floats('w', DIMS[opType], values)
    .node(opType, ['x', 'w'], ['y'], opType === 'Gemm' ? { transB: 1 } : {})
    .output('y')
    .build()
  return weightedLayer(graph.nodes[0]!, indexGraph(graph)) as WeightedLayer
}

/** What DequantizeLinear of opset 21 makes of the integers. */
async function dequantize(weight: WeightIntegers, dims: readonly number[]): Promise<Float32Array> {
  const { type, data, scales, scaleDims, zeroPoints, axis, blockSize } = weight
  const graph = model()
    .initializer('q', tensorFromStored(type, dims, data))
    .initializer('s', tensorFromFloat32(scaleDims, scales))
  if (zeroPoints !== undefined)
    graph.initializer('z', tensorFromStored(type, scaleDims, zeroPoints))
  const built = graph
    .node('DequantizeLinear', zeroPoints === undefined ? ['q', 's'] : ['q', 's', 'z'], ['y'], {
      ...(axis === undefined ? {} : { axis: attr.int(axis) }),
      ...(blockSize === undefined ? {} : { block_size: attr.int(blockSize) }),
    })
    .output('y')
    .build()
  const { y } = await runModel(built, {})
  return y!.data as Float32Array
}

const schemes: fc.Arbitrary<WeightScheme> = fc.record({
  type: fc.constantFrom(...WEIGHT_TYPES),
  perChannel: fc.boolean(),
  range: fc.constantFrom('full', 'reduced'),
  blockSize: fc.constantFrom(0, 4, 16),
})

describe('weightIntegers', () => {
  it('stays within half a step of every weight, as onnxruntime reads the integers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<OpType>('Conv', 'MatMul', 'Gemm'),
        schemes,
        fc.integer({ min: 1, max: 1000 }),
        fc.constantFrom(-1, 0, 1),
        async (opType, scheme, seed, sign) => {
          const dims = DIMS[opType]
          const size = dims.reduce<number>((product, length) => product * length, 1)
          // Of one sign, or of both.
          const values = randomValues(size, seed).map((x) => (sign === 0 ? x : sign * Math.abs(x)))
          const weight = weightIntegers(layerOf(opType, values), scheme)
          const read = await dequantize(weight, dims)
          const step = Math.max(...weight.scales)
          // A zero point that was rounded moves one end by another half.
          const worst = values.reduce((most, x, i) => Math.max(most, Math.abs(x - read[i]!)), 0)
          expect(worst).toBeLessThanOrEqual(step * (weight.type === 'uint8' ? 1.001 : 0.51))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('gives a Conv with a scale per channel the one zero point that its kernel takes', () => {
    const scheme = { type: 'uint8', perChannel: true, range: 'full', blockSize: 0 } as const
    const conv = weightIntegers(layerOf('Conv', randomValues(120, 1)), scheme)
    expect([...conv.zeroPoints!]).toEqual([128, 128, 128])
    const values = Float32Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 1 : -1) * (i + 1))
    const matMul = weightIntegers(layerOf('MatMul', values), scheme)
    expect([...matMul.zeroPoints!]).toEqual([0, 255, 255])
  })

  it('has blocks along the input channels, and none where the axis is no longer than one', () => {
    const scheme = { type: 'int8', perChannel: true, range: 'full', blockSize: 4 } as const
    const scaleDims = (opType: OpType, blockSize: number) => {
      const size = DIMS[opType].reduce<number>((product, length) => product * length, 1)
      const layer = layerOf(opType, randomValues(size, 1))
      const { granularity, scaleDims: dims } = weightIntegers(layer, { ...scheme, blockSize })
      return [granularity, ...dims]
    }
    expect(scaleDims('Conv', 4)).toEqual(['blocked', 3, 3, 2, 2])
    expect(scaleDims('MatMul', 4)).toEqual(['blocked', 3, 3])
    expect(scaleDims('Gemm', 4)).toEqual(['blocked', 3, 3])
    expect(scaleDims('Conv', 10)).toEqual(['per_channel', 3])
  })

  it.each([
    ['int8', 64],
    ['uint8', 127],
    ['int16', 16384],
  ] as const)('uses one bit less of %s when reduced', (type, most) => {
    const scheme = { type, perChannel: false, range: 'reduced', blockSize: 0 } as const
    const { data } = weightIntegers(layerOf('MatMul', randomValues(30, 1)), scheme)
    expect(Math.max(...data)).toBeLessThanOrEqual(most)
    const { qmax } = INTEGER_RANGES[type]
    const full = weightIntegers(layerOf('MatMul', randomValues(30, 1)), {
      ...scheme,
      range: 'full',
    })
    expect(Math.max(...full.data.map(Math.abs))).toBe(qmax)
  })
})
