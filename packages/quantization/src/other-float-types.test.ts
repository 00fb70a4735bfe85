// Models in float64 and of mixed types: every step says why it leaves a weight alone, and none fails
// but with that reason.
import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { type RuntimeTensor, tensorFromFloats } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { quantizeDynamic } from './dynamic/quantize-dynamic.js'
import { convertFloat16 } from './float16/index.js'
import { quantizeStatic } from './static/quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel } from './testing.js'
import { quantizeWeights } from './weights/index.js'

const doubles = (dims: readonly number[], seed: number) =>
  tensorFromFloats(
    'float64',
    dims,
    randomValues(
      dims.reduce((product, size) => product * size, 1),
      seed,
    ),
  )

/** Conv, Gemm and MatMul in float64; onnxruntime has no such Conv, so what runs does without. */
function onlyDouble(hasConv = true): Model {
  const built = model({ opset: 17 }).input('d', 'float64', ['n', 4, 8])
  if (hasConv) {
    built
      .initializer('kernel', doubles([4, 4, 3], 1))
      .node('Conv', ['d', 'kernel'], ['c'], { pads: [1, 1] })
  }
  return built
    .initializer('w', doubles([8, 8], 2))
    .initializer('v', doubles([8, 8], 3))
    .node('MatMul', [hasConv ? 'c' : 'd', 'w'], ['m'])
    .node('Flatten', ['m'], ['f'], { axis: 2 })
    .node('Gemm', ['f', 'v'], ['z'])
    .output('z', 'float64')
    .build()
}

/** Gemm and MatMul in float64 beside a MatMul in float32, joined by a Cast. */
function mixed(): Model {
  const { graph, ...rest } = onlyDouble(false)
  const wide = model({ opset: 17 })
    .input('x', 'float32', ['n', 8])
    .floats('s', [8, 64], randomValues(512, 4))
    .floats('t', [64, 8], randomValues(512, 5))
    .node('MatMul', ['x', 's'], ['h'])
    .node('MatMul', ['h', 't'], ['o'])
    .node('Cast', ['z'], ['narrow'], { to: 1 })
    .node('ReduceSum', ['narrow'], ['sum'], { keepdims: 0 })
    .node('Add', ['o', 'sum'], ['y'])
    .output('y')
    .graph()
  return {
    ...rest,
    graph: {
      ...graph,
      inputs: [...graph.inputs, ...wide.inputs],
      outputs: wide.outputs,
      initializers: new Map([...graph.initializers, ...wide.initializers]),
      nodes: [...graph.nodes, ...wide.nodes],
    },
  }
}

function feeds(): Readonly<Record<string, RuntimeTensor>> {
  const d = Float64Array.from(randomValues(2 * 4 * 8, 6))
  return {
    d: { dataType: 'float64', dims: [2, 4, 8], data: d },
    x: randomTensor([2, 8], 7),
  }
}

const STEPS: Readonly<Record<string, (built: Model) => Promise<{ readonly model: Model }>>> = {
  quantizeStatic: async (built) => quantizeStatic(built, await calibrated(built, [feeds()])),
  quantizeDynamic: (built) => Promise.resolve(quantizeDynamic(built)),
  quantizeWeights: (built) => quantizeWeights(built, { format: 'QDQ' }),
  convertFloat16: (built) => Promise.resolve(convertFloat16(built)),
}

describe.each(Object.keys(STEPS))('%s', (step) => {
  it('quantizes what is float32 beside float64, and the result runs', async () => {
    const built = mixed()
    const { model: result } = await STEPS[step]!(built)
    checkModel(result)
    for (const name of ['w', 'v']) {
      expect(result.graph.initializers.get(name)?.dataType).toBe('float64')
    }
    expect(result.graph.initializers.get('s')?.dataType).not.toBe('float32')
    const [a, b] = [await runModel(built, feeds()), await runModel(result, feeds())]
    const [x, y] = [a['y']!.data as Float32Array, b['y']!.data as Float32Array]
    const largest = x.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    for (const [i, value] of x.entries()) {
      expect(Math.abs(value - y[i]!)).toBeLessThan(0.25 * largest)
    }
  })
})

describe('a model in float64 alone', () => {
  it.each(['quantizeDynamic', 'quantizeWeights'])(
    'is refused by %s with the reason',
    async (step) => {
      const refused = Promise.resolve().then(() => STEPS[step]!(onlyDouble()))
      await expect(refused).rejects.toThrow(
        expect.objectContaining({
          code: 'quantization_not_applicable',
          message: expect.stringContaining('its weight is float64') as string,
        }) as Error,
      )
    },
  )

  it('comes back from convertFloat16 as it is', () => {
    const built = onlyDouble()
    const { model: result, diagnostics } = convertFloat16(built)
    expect(result).toBe(built)
    expect(diagnostics.map(({ code }) => code)).toContain('float16_nothing_to_convert')
  })
})
