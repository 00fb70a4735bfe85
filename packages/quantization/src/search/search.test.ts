import { calibrate } from '@pare/calibration'
import { type Feeds, toBatches } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { describe, expect, it } from 'vitest'

import { sourceOf } from '../layers/testing.js'
import { observationPoints } from '../static/observation-points.js'
import { optimize, randomTensor, randomValues } from '../testing.js'
import type { Verdict } from './fallback.js'
import { createReference } from './output-error.js'
import { searchStatic } from './search.js'
import type { SearchStaticInput } from './search-input.js'
import type { Technique } from './technique.js'

const runtime = onnxRuntime()
const BATCHES: readonly Feeds[] = [1, 2].map((seed) => ({ x: randomTensor([32, 16], seed) }))

const source = sourceOf(runtime, BATCHES)

/** Three layers; one channel of the second's input is `outlier` times larger than the others. */
function threeLayers(outlier: number): Model {
  const weights = (seed: number) => randomValues(256, seed, 0.25)
  const spread = weights(1).map((value, i) => (i % 16 === 3 ? value * outlier : value))
  const gathered = weights(2).map((value, i) =>
    Math.floor(i / 16) === 3 ? value / outlier : value,
  )
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 16])
    .floats('w1', [16, 16], spread)
    .floats('w2', [16, 16], gathered)
    .floats('w3', [16, 16], weights(3))
    .node('MatMul', ['x', 'w1'], ['a'])
    .node('Abs', ['a'], ['m'])
    .node('MatMul', ['m', 'w2'], ['b'])
    .node('Tanh', ['b'], ['u'])
    .node('MatMul', ['u', 'w3'], ['y'])
    .output('y')
    .build()
}

const withOneBadLayer = () => threeLayers(1000)

async function inputFor(built: Model): Promise<SearchStaticInput> {
  const recalibrate = (changed: Model) =>
    calibrate({
      model: changed,
      points: observationPoints(changed),
      runtime,
      batches: toBatches(BATCHES),
    })
  return {
    model: built,
    statistics: await recalibrate(built),
    options: { perChannel: true },
    optimize,
    source,
    recalibrate,
    techniques: [],
    sensitivity: 'both',
    fallback: 'float',
  }
}

/** A judge of the outputs' error, in place of labels. */
async function judgeOf(
  built: Model,
  limit: number,
): Promise<(candidate: Model) => Promise<Verdict>> {
  const reference = await createReference({ model: built, source, samples: 64 })
  return async (candidate) => {
    const { noise } = await reference.compare(candidate)
    return { drop: noise, met: noise <= limit }
  }
}

describe('searchStatic', () => {
  it('names the layer whose integers cost most', async () => {
    const { sensitivity, tried } = await searchStatic(await inputFor(withOneBadLayer()))
    expect(sensitivity).toHaveLength(3)
    const [worst, next] = sensitivity
    expect(worst).toMatchObject({ layer: 'b', op_type: 'MatMul' })
    expect(worst!.quantized_alone_sqnr_db!).toBeLessThan(next!.quantized_alone_sqnr_db! - 10)
    expect(worst!.float_alone_gain_db!).toBeGreaterThan(next!.float_alone_gain_db! + 10)
    expect(tried).toMatchObject([{ name: 'nearest', chosen: true, layers_float: 0 }])
  })

  it('leaves just that layer float when the judge asks for more, and says so', async () => {
    const built = withOneBadLayer()
    const input = { ...(await inputFor(built)), judge: await judgeOf(built, 1e-3) }
    const { layers, tried, model: result } = await searchStatic(input)
    const floats = layers.filter(({ decision }) => decision === 'float')
    expect(floats).toMatchObject([{ output: 'b', reason: 'accuracy_fallback' }])
    expect((await input.judge(result)).met).toBe(true)
    expect(tried.at(-1)).toMatchObject({ name: 'fallback', note: 'b', chosen: true })
  })

  it('stores the weights of that layer in 16 bits on request', async () => {
    const built = withOneBadLayer()
    const judge = await judgeOf(built, 1e-3)
    const input: SearchStaticInput = { ...(await inputFor(built)), judge, fallback: 'float16' }
    const { model: result } = await searchStatic(input)
    const types = [...result.graph.initializers.values()]
      .filter(({ dims }) => dims.length === 2)
      .map(({ dataType }) => dataType)
    expect(types.sort()).toEqual(['float16', 'int8', 'int8'])
    expect((await judge(result)).met).toBe(true)
  })

  it('keeps every layer in integers when it may not fall back', async () => {
    const built = withOneBadLayer()
    const judge = await judgeOf(built, 1e-3)
    const { layers, tried } = await searchStatic({
      ...(await inputFor(built)),
      judge,
      fallback: 'none',
    })
    expect(layers.every(({ decision }) => decision === 'integer')).toBe(true)
    expect(tried[0]!.drop).toBeGreaterThan(1e-3)
  })

  it('keeps what a technique proposes only when the outputs become more exact', async () => {
    const input = await inputFor(threeLayers(1))
    const narrow = (by: number): Technique => ({
      name: `by ${by}`,
      description: 'scales every range',
      propose: (state) => {
        const tensors = Object.entries(state.statistics.tensors).map(([name, tensor]) => {
          const { min, max } = tensor.state.range!
          const range = { min: min * by, max: max * by }
          return [name, { ...tensor, state: { ...tensor.state, range } }]
        })
        const statistics = { ...state.statistics, tensors: Object.fromEntries(tensors) as never }
        return Promise.resolve({ model: state.model, statistics, note: `by ${by}` })
      },
    })
    const nothing: Technique = {
      name: 'nothing',
      description: 'has nothing to propose',
      propose: () => Promise.resolve({ nothing: 'no such layers' }),
    }
    const techniques = [
      { technique: nothing, mode: 'try' },
      { technique: narrow(8), mode: 'use' },
      { technique: narrow(1 / 8), mode: 'try' },
      { technique: narrow(4), mode: 'try' },
    ] as const
    const { tried } = await searchStatic({ ...input, techniques, sensitivity: 'none' })
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['nothing', false],
      ['by 8', true],
      ['by 0.125', true],
      ['by 4', false],
    ])
    expect(tried[1]).toMatchObject({ sqnr_db: null, note: 'no such layers' })
  })
})
