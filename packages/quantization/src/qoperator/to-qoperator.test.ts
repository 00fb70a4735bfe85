// The QOperator file against the QDQ file it is made from, under the real onnxruntime.
import { readFile } from 'node:fs/promises'

import type { Feeds } from '@pare/datasets'
import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { decodeModel } from '@pare/onnx'
import { foldBatchNorm } from '@pare/passes'
import { type RuntimeTensor, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomFeeds, randomNetwork } from '../random-network.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import { quantizeStatic } from '../static/quantize-static.js'
import { quantizeVerified } from '../static/quantize-verified.js'
import { calibrated, optimize, randomTensor, randomValues, runModel } from '../testing.js'
import { toQOperator } from './to-qoperator.js'

const opTypes = ({ graph }: Model) => graph.nodes.map(({ opType }) => opType)

/** Greatest difference by the greatest value. */
function difference(a: RuntimeTensor, b: RuntimeTensor): number {
  const [x, y] = [a.data as Float32Array, b.data as Float32Array]
  const scale = x.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-9)
  return x.reduce((max, value, i) => Math.max(max, Math.abs(value - y[i]!)), 0) / scale
}

/** A few steps of 1/255: what is rounded differently on the way may differ by one step per layer. */
const FEW_STEPS = 0.04

async function expectAlike(qdq: Model, qoperator: Model, inputs: Feeds): Promise<void> {
  for (const optimization of ['none', 'all'] as const) {
    const before = await runModel(qdq, inputs, { optimization })
    const after = await runModel(qoperator, inputs, { optimization })
    for (const name of Object.keys(before)) {
      expect(difference(before[name]!, after[name]!), name).toBeLessThan(FEW_STEPS)
    }
  }
}

const FORMS = [
  'MatMulIntegerToFloat',
  'QGemm',
  'QLinearAdd',
  'QLinearAveragePool',
  'QLinearConcat',
  'QLinearConv',
  'QLinearLeakyRelu',
  'QLinearMatMul',
  'QLinearMul',
  'QLinearSigmoid',
  'QLinearSoftmax',
  'QLinearWhere',
]

describe('toQOperator', () => {
  it.each([
    { options: {}, seeds: 40 },
    { options: { activationType: 'int8' }, seeds: 12 },
    { options: { perChannel: false }, seeds: 12 },
    { options: { symmetric: true }, seeds: 12 },
  ] as const satisfies readonly { options: QuantizeStaticOptions; seeds: number }[])(
    'computes what the QDQ file computes, on random graphs with $options',
    async ({ options, seeds }) => {
      const seen = new Set<string>()
      for (let seed = 1; seed <= seeds; seed++) {
        const built = randomNetwork(seed)
        const statistics = await calibrated(built, [randomFeeds(seed)], options)
        const qdq = quantizeStatic(built, statistics, options).model
        const qoperator = toQOperator().run(qdq)
        checkModel(qoperator.model)
        opTypes(qoperator.model).forEach((opType) => seen.add(opType))
        await expectAlike(qdq, qoperator.model, randomFeeds(seed))
      }
      if (seeds === 40) expect([...seen]).toEqual(expect.arrayContaining(FORMS))
    },
  )

  it('writes the example network without Q and DQ inside, and its kernels are found again', async () => {
    const file = new URL('../../../../examples/fashion-resnet.onnx', import.meta.url)
    const built = foldBatchNorm().run(decodeModel(await readFile(file))).model
    const image = { image: randomTensor([4, 1, 28, 28], 1) }
    const statistics = await calibrated(built, [image])
    const qdq = await quantizeVerified({ model: built, statistics, optimize })
    const options = { format: 'QOperator' } as const
    const qoperator = await quantizeVerified({ model: built, statistics, options, optimize })
    await expectAlike(qdq.model, qoperator.model, image)
    expect(qoperator.layers.map(({ kernel }) => kernel)).toEqual(
      qdq.layers.map(({ kernel }) => kernel),
    )
    expect(opTypes(qoperator.model).filter((type) => type === 'QuantizeLinear')).toHaveLength(1)
    expect(opTypes(qoperator.model)).not.toContain('DequantizeLinear')
  })

  it('computes in integers what onnxruntime does not fuse', async () => {
    // Of int8 activations with several readers onnxruntime makes no integer kernels on x64.
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 6, 6])
      .floats('w', [4, 4, 3, 3], randomValues(144, 1, 0.2))
      .floats('v', [4, 4, 3, 3], randomValues(144, 2, 0.2))
      .node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] })
      .node('Conv', ['a', 'v'], ['b'], { pads: [1, 1, 1, 1] })
      .node('Add', ['a', 'b'], ['s'])
      .node('Conv', ['s', 'v'], ['y'], { pads: [1, 1, 1, 1] })
      .output('y')
      .build()
    const options = { activationType: 'int8', format: 'QOperator' } as const
    const statistics = await calibrated(built, [randomFeeds(1)], options)
    const result = await quantizeVerified({ model: built, statistics, options, optimize })
    expect(result.rounds).toBe(1)
    expect(result.layers.map(({ kernel }) => kernel)).toEqual([
      'QLinearConv',
      'QLinearConv',
      'QLinearAdd',
      'QLinearConv',
    ])
  })

  it('leaves what has no form between Q and DQ', () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', [1, 4])
      .floats('s', [], [0.1])
      .initializer('z', tensorFromInts('uint8', [], [3]))
      .node('QuantizeLinear', ['x', 's', 'z'], ['q'])
      .node('DequantizeLinear', ['q', 's', 'z'], ['d'])
      .node('Tanh', ['d'], ['t'])
      .node('QuantizeLinear', ['t', 's', 'z'], ['p'])
      .node('DequantizeLinear', ['p', 's', 'z'], ['y'])
      .output('y')
      .build()
    expect(toQOperator().run(built)).toEqual({ model: built, modified: false, diagnostics: [] })
  })

  it('moves integers only where both sides have the same parameters', () => {
    const built = (scale: string) =>
      model({ opset: 17 })
        .input('q', 'uint8', [1, 4])
        .floats('s', [], [0.1])
        .floats('same', [], [0.1])
        .floats('other', [], [0.2])
        .initializer('z', tensorFromInts('uint8', [], [3]))
        .node('DequantizeLinear', ['q', 's', 'z'], ['d'])
        .node('Flatten', ['d'], ['f'])
        .node('QuantizeLinear', ['f', scale, 'z'], ['y'])
        .output('y', 'uint8')
        .build()
    expect(opTypes(toQOperator().run(built('same')).model)).toEqual(['Flatten'])
    expect(toQOperator().run(built('other')).modified).toBe(false)
  })
})
