import { calibrate } from '@pare/calibration'
import { type Feeds, toBatches } from '@pare/datasets'
import { attr, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { whyNot } from '@pare/recipe'
import { describe, expect, it } from 'vitest'

import { integerLayers } from '../layers/integer-layers.js'
import { sourceOf } from '../layers/testing.js'
import { observationPoints } from '../static/observation-points.js'
import type { QuantizeStaticOptions } from '../static/options.js'
import { quantizeExcept } from '../static/quantize-static.js'
import { randomTensor, randomValues } from '../testing.js'
import { createReference } from './output-error.js'
import { measureQuantizedAlone, rankableLayers } from './sensitivity.js'
import { switchedModel } from './switched-model.js'

const runtime = onnxRuntime()
const BATCHES: readonly Feeds[] = [1, 2].map((seed) => ({ x: randomTensor([16, 8, 8, 8], seed) }))

const source = sourceOf(runtime, BATCHES)

/** Conv → Relu → depthwise Conv, flattened; MatMul + Add; Gemm with alpha and beta. */
function network(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 8, 8, 8])
    .floats('w1', [16, 8, 3, 3], randomValues(1152, 1, 0.3))
    .floats('b1', [16], randomValues(16, 2, 0.3))
    .floats('w2', [16, 1, 3, 3], randomValues(144, 3, 0.5))
    .floats('w3', [1024, 8], randomValues(8192, 4, 0.1))
    .floats('b3', [8], randomValues(8, 5))
    .floats('w4', [5, 8], randomValues(40, 6))
    .floats('b4', [5], randomValues(5, 7))
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'], { pads: [1, 1, 1, 1], group: 16 })
    .node('Flatten', ['c2'], ['f'])
    .node('MatMul', ['f', 'w3'], ['m'])
    .node('Add', ['m', 'b3'], ['a'])
    .node('Relu', ['a'], ['r3'])
    .node('Gemm', ['r3', 'w4', 'b4'], ['y'], {
      transB: 1,
      alpha: attr.float(0.5),
      beta: attr.float(2),
    })
    .output('y')
    .build()
}

async function quantizedNetwork(options: QuantizeStaticOptions) {
  const float = network()
  const points = observationPoints(float)
  const statistics = await calibrate({ model: float, points, runtime, batches: toBatches(BATCHES) })
  return {
    float,
    statistics,
    quantized: quantizeExcept(float, statistics, { options, forced: new Map() }),
  }
}

describe('switchedModel', () => {
  it('computes what the float model computes while no layer is chosen', async () => {
    const { float, quantized } = await quantizedNetwork({ perChannel: true })
    const switched = switchedModel(float, integerLayers(float, quantized))
    const run = async (one: Model, extra: Feeds) => {
      const session = await runtime.createSession(encodeModel(one))
      const { y } = await session.run({ ...BATCHES[0], ...extra })
      await session.release()
      return y!.data as Float32Array
    }
    const expected = await run(float, {})
    const actual = await run(switched.model, switched.choose(undefined))
    for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 4)
  })

  it.each([
    ['per channel', { perChannel: true }],
    ['per tensor, QOperator', { perChannel: false, format: 'QOperator' }],
  ] as const)(
    'says of each layer what a model with it alone in integers says, %s',
    async (_, options) => {
      const { float, statistics, quantized } = await quantizedNetwork(options)
      const alone = await measureQuantizedAlone({ model: float, quantized, source, samples: 32 })
      const layers = rankableLayers(quantized.layers)
      expect(layers).toHaveLength(4)
      expect([...alone.keys()]).toEqual(layers.map(({ output }) => output))
      const reference = await createReference({ model: float, source, samples: 32 })
      for (const { output } of layers) {
        const others = quantized.layers.filter((layer) => layer.output !== output)
        const forced = new Map(
          others.map((layer) => [layer.output, whyNot('accuracy_fallback', 'not asked')]),
        )
        const { model: single } = quantizeExcept(float, statistics, { options, forced })
        const { sqnrDb } = await reference.compare(single)
        expect(alone.get(output)!.sqnrDb! - sqnrDb!).toBeCloseTo(0, 0)
      }
    },
  )
})
