// The rows about integer kernels, held against onnxruntime: DequantizeLinear → op → QuantizeLinear
// is loaded, the graph that onnxruntime made of it is read back, and the op is looked for.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { attr, type Model } from '@pare/graph'
import { type AttributeSpec, model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type OpFacts, opFacts, opTable, sharesQuantization } from '@pare/ops'
import { elementCount, tensorFromInts } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** What an op needs besides its first input, x [1, 4, 4, 4]. */
interface Situation {
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  /** Quantized inputs after x: shape of each. */
  readonly quantized?: readonly (readonly number[])[]
  /** int64 inputs after those. */
  readonly indices?: readonly (readonly number[])[]
  /** Float constants after those, of one value per channel. */
  readonly floats?: number
  /** Float scalars after those. */
  readonly scalars?: readonly number[]
  /** Shape of x. Default [1, 4, 4, 4]. */
  readonly dims?: readonly number[]
}

const image = [1, 4, 4, 4]
const pool = { kernel_shape: [2, 2] }

const SITUATIONS: Readonly<Record<string, Situation>> = {
  Abs: {},
  Add: { quantized: [image] },
  AveragePool: { attributes: pool },
  BatchNormalization: { floats: 4 },
  Clip: { scalars: [-1, 1] },
  Concat: { quantized: [image], attributes: { axis: 1 } },
  Conv: { quantized: [[4, 4, 1, 1]] },
  ConvTranspose: { quantized: [[4, 4, 1, 1]] },
  DepthToSpace: { attributes: { blocksize: 2 } },
  Div: { quantized: [image] },
  Elu: {},
  Erf: {},
  Exp: {},
  Expand: { indices: [[2, 4, 4, 4]] },
  Flatten: {},
  Gather: { indices: [[1]], attributes: { axis: 1 } },
  GatherElements: { indices: [[1, 0]], dims: [2] },
  Gemm: { dims: [1, 4], quantized: [[4, 4]] },
  GlobalAveragePool: {},
  GlobalMaxPool: {},
  HardSigmoid: {},
  HardSwish: {},
  Identity: {},
  InstanceNormalization: { floats: 2 },
  LayerNormalization: { floats: 1 },
  LeakyRelu: { attributes: { alpha: attr.float(0.1) } },
  MatMul: { dims: [2, 4], quantized: [[4, 4]] },
  Max: { quantized: [image] },
  MaxPool: { attributes: pool },
  Min: { quantized: [image] },
  Mul: { quantized: [image] },
  Neg: {},
  Pad: { indices: [[0, 0, 1, 1, 0, 0, 1, 1]] },
  PRelu: { quantized: [[4, 1, 1]] },
  Pow: { quantized: [image] },
  ReduceMax: {},
  ReduceMean: {},
  ReduceMin: {},
  Relu: {},
  Reshape: { indices: [[4, 16]] },
  Resize: {},
  Sigmoid: {},
  Slice: { indices: [[0], [2], [1]] },
  Softmax: {},
  SpaceToDepth: { attributes: { blocksize: 2 } },
  Split: { attributes: { axis: 1 } },
  Sqrt: {},
  Squeeze: { indices: [[0]] },
  Sub: { quantized: [image] },
  Tanh: {},
  Tile: { indices: [[1, 1, 2, 1]] },
  Transpose: { attributes: { perm: [0, 2, 3, 1] } },
  Unsqueeze: { indices: [[0]] },
  Where: { quantized: [image] },
}

/** Same scale and zero point on both sides, as an op that shares quantization needs. */
const SCALE = 0.25
const ZERO_POINT = 128

function quantizedAround(opType: string, situation: Situation, quantizeOutput: boolean): Model {
  const {
    attributes = {},
    quantized = [],
    indices = [],
    floats = 0,
    scalars = [],
    dims = image,
  } = situation
  const builder = model({ opset: 17, irVersion: 8 })
    .input('x', 'uint8', dims)
    .floats('scale', [], [SCALE])
    .initializer('zero', tensorFromInts('uint8', [], [ZERO_POINT]))
    .node('DequantizeLinear', ['x', 'scale', 'zero'], ['a'])
  const inputs = ['a']
  // Resize takes roi and sizes as omitted inputs.
  if (opType === 'Resize') {
    builder.floats('scales', [4], [1, 1, 2, 2])
    inputs.push('', 'scales')
  }
  for (const [i, shape] of quantized.entries()) {
    const values = Array.from({ length: elementCount(shape) }, (_, n) => n % 7)
    builder.initializer(`q${i}`, tensorFromInts('uint8', shape, values))
    builder.node('DequantizeLinear', [`q${i}`, 'scale', 'zero'], [`d${i}`])
    inputs.push(`d${i}`)
  }
  for (const [i, values] of indices.entries()) {
    builder.initializer(`i${i}`, tensorFromInts('int64', [values.length], values))
    inputs.push(`i${i}`)
  }
  for (let i = 0; i < floats; i++) {
    builder.floats(`f${i}`, [4], [1, 2, 3, 4])
    inputs.push(`f${i}`)
  }
  for (const [i, value] of scalars.entries()) {
    builder.floats(`s${i}`, [], [value])
    inputs.push(`s${i}`)
  }
  if (opType === 'Where') {
    const condition = Array.from({ length: elementCount(dims) }, (_, n) => n % 2)
    builder.initializer('condition', tensorFromInts('bool', dims, condition))
    inputs.unshift('condition')
  }
  builder.node(opType, inputs, ['b'], attributes)
  if (!quantizeOutput) return builder.output('b', 'float32').build()
  return builder.node('QuantizeLinear', ['b', 'scale', 'zero'], ['y']).output('y', 'uint8').build()
}

describe('onnxruntime’s integer kernels', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-kernels-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Whether the optimized graph computes the op without going through float. */
  async function isInteger(opType: string, quantizeOutput: boolean): Promise<boolean> {
    const built = quantizedAround(opType, SITUATIONS[opType]!, quantizeOutput)
    const optimizedModelPath = join(folder, `${opType}.onnx`)
    const session = await onnxRuntime().createSession(encodeModel(built), { optimizedModelPath })
    await session.release()
    const { graph } = decodeModel(await readFile(optimizedModelPath))
    return !graph.nodes.some((node) => node.opType === 'DequantizeLinear')
  }

  it.each(Object.keys(SITUATIONS))('%s is as its row says', async (opType) => {
    const name = { opType, domain: '' }
    const claimed = opFacts(name)?.integerKernel
    const expected = claimed !== undefined || sharesQuantization(name, 17)
    expect(await isInteger(opType, true), 'with a quantized output').toBe(expected)
    expect(await isInteger(opType, false), 'with a float output').toBe(claimed === 'any_output')
  })

  it('covers every operator that claims one', () => {
    const rows: Readonly<Record<string, OpFacts>> = opTable
    const claims = Object.entries(rows).filter(
      ([opType, { integerKernel }]) =>
        integerKernel !== undefined || sharesQuantization({ opType, domain: '' }, 17),
    )
    expect(claims.map(([opType]) => opType).filter((opType) => !(opType in SITUATIONS))).toEqual([])
  })
})
