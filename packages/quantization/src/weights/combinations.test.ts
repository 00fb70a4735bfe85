// Every combination of operator, bits, format, symmetry and float type: it loads and runs in
// onnxruntime, as the file stands and optimized, or it is refused with the reason.
import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { WEIGHT_FORMATS, WEIGHT_OP_TYPES } from '@pare/recipe'
import {
  type DataType,
  decodeFloat16,
  encodeFloat16,
  type RuntimeTensor,
  tensorFromFloats,
} from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeWeights } from './quantize-weights.js'

type Float = Extract<DataType, 'float32' | 'float16'>

const OPS = WEIGHT_OP_TYPES
const DIMS = {
  MatMul: [64, 48],
  Gemm: [48, 64],
  Gather: [64, 48],
  Conv: [16, 8, 3, 3],
  ConvTranspose: [8, 16, 3, 3],
} as const

function isConvolution(opType: (typeof OPS)[number]): boolean {
  return opType.startsWith('Conv')
}

function oneLayer(opType: (typeof OPS)[number], float: Float): Model {
  const dims = DIMS[opType]
  const count = dims.reduce((product: number, size) => product * size, 1)
  const built = model({ opset: 17 })
    .input(
      'x',
      opType === 'Gather' ? 'int64' : float,
      isConvolution(opType) ? [1, 8, 6, 6] : undefined,
    )
    .initializer('w', tensorFromFloats(float, dims, randomValues(count, 2)))
  const inputs = opType === 'Gather' ? ['w', 'x'] : ['x', 'w']
  return built
    .node(opType, inputs, ['y'], opType === 'Gemm' ? { transB: 1 } : {})
    .output('y', float)
    .build()
}

function input(opType: (typeof OPS)[number], float: Float): RuntimeTensor {
  if (opType === 'Gather') {
    return { dataType: 'int64', dims: [2, 3], data: BigInt64Array.from([0n, 5n, 63n, 7n, 8n, 9n]) }
  }
  const dims = isConvolution(opType) ? [1, 8, 6, 6] : [5, 64]
  const x = randomTensor(dims, 1)
  if (float === 'float32') return x
  return { ...x, dataType: float, data: encodeFloat16(x.data as Float32Array) }
}

function widened(tensor: RuntimeTensor): RuntimeTensor {
  if (tensor.dataType === 'float32') return tensor
  return { ...tensor, dataType: 'float32', data: decodeFloat16(tensor.data as Uint16Array) }
}

const cases = OPS.flatMap((opType) =>
  WEIGHT_FORMATS.flatMap((format) =>
    ([8, 4, 2] as const).flatMap((bits) =>
      [true, false].flatMap((symmetric) =>
        (['float32', 'float16'] as const).map((float) => ({
          opType,
          format,
          bits,
          symmetric,
          float,
        })),
      ),
    ),
  ),
)

/** What no kernel reads. */
function isImpossible({ opType, format, bits }: (typeof cases)[number]): boolean {
  if (format === 'QDQ') return bits === 2
  if (format === 'auto') return false
  return isConvolution(opType) || (opType === 'Gather' && bits === 2)
}

/** Decibels that bits are worth at least. */
const LEAST = { 8: 34, 4: 13, 2: 2 } as const

describe('weights', () => {
  it.each(cases.filter((one) => !isImpossible(one)))(
    'of $opType in $bits bits as $format, symmetric $symmetric, $float, load and run',
    async ({ opType, float, ...options }) => {
      const built = oneLayer(opType, float)
      const { model: quantized } = await quantizeWeights(built, options)
      checkModel(quantized)
      const feeds = { x: input(opType, float) }
      const expected = widened((await runModel(built, feeds))['y']!)
      for (const optimization of ['none', 'all'] as const) {
        const actual = (await runModel(quantized, feeds, { optimization }))['y']!
        expect(actual).toMatchObject({ dataType: float, dims: expected.dims })
        expect(sqnr(expected, widened(actual))).toBeGreaterThan(LEAST[options.bits])
      }
    },
  )

  it.each(cases.filter(isImpossible))(
    'of $opType in $bits bits as $format, symmetric $symmetric, $float, are refused',
    async ({ opType, float, ...options }) => {
      const refused = quantizeWeights(oneLayer(opType, float), options)
      await expect(refused).rejects.toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/quantization_(options_invalid|not_applicable)/) as string,
        }) as Error,
      )
    },
  )
})
