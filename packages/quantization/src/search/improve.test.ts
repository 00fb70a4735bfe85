import type { CalibrationStatistics } from '@pare/calibration'
import type { Feeds } from '@pare/datasets'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { describe, expect, it } from 'vitest'

import { calibrateModel } from '../branches/calibrate-model.js'
import { equalizeLayers } from '../equalization/equalize.js'
import { sourceOf } from '../layers/testing.js'
import { observationPoints } from '../static/observation-points.js'
import { optimize, randomTensor, randomValues } from '../testing.js'
import { searchStatic } from './search.js'
import type { ChosenTechnique, SearchStaticInput } from './search-input.js'
import type { SearchState, Technique } from './technique.js'

const runtime = onnxRuntime()
const ROWS = 32
/** So many multiply-accumulates that a comparison looks at the first batch alone. */
const OF_FIRST_BATCH = { macs: 1e9 }

/** One channel between the layers is `outlier` times as large as the others. */
function network(outlier = 1): Model {
  const [w1, w2] = [randomValues(256, 1, 0.25), randomValues(256, 2, 0.25)]
  for (let i = 0; i < 16; i++) {
    w1[i * 16 + 3]! *= outlier
    w2[3 * 16 + i]! /= outlier
  }
  return model({ opset: 17 })
    .input('x', 'float32', ['n', 16])
    .floats('w1', [16, 16], w1)
    .floats('w2', [16, 16], w2)
    .node('MatMul', ['x', 'w1'], ['a'])
    .node('Relu', ['a'], ['r'])
    .node('MatMul', ['r', 'w2'], ['y'])
    .output('y')
    .build()
}

/** All batches but the first have values `times` as large. */
function data(times: number, batches = 2): readonly Feeds[] {
  return Array.from({ length: batches }, (_, i) => ({
    x: randomTensor([ROWS, 16], i, i === 0 ? 1 : times),
  }))
}

/** A search that says how many samples each calibration was asked for. */
async function searched(
  batches: readonly Feeds[],
  techniques: readonly ChosenTechnique[],
  given: Partial<SearchStaticInput> & {
    readonly widened?: number
    readonly outlier?: number
    /** Whether all samples have far wider ranges in this model. */
    readonly isWild?: (changed: Model) => boolean
  } = {},
) {
  const { widened = 1, outlier = 1, isWild = () => false, ...rest } = given
  const built = network(outlier)
  const asked: (number | undefined)[] = []
  const source = sourceOf(runtime, batches)
  const looked: string[][] = []
  const recalibrate: SearchStaticInput['recalibrate'] = async (changed, { samples, only }) => {
    asked.push(samples)
    looked.push(observationPoints(changed).filter(only))
    const found = await calibrateModel({
      ...{ model: changed, only, runtime, source },
      ...(samples === undefined ? {} : { samples }),
    })
    return samples === undefined && isWild(changed) ? wider(found, 100) : found
  }
  const statistics = wider(await recalibrate(built, { only: () => true }), widened)
  asked.length = looked.length = 0
  const result = await searchStatic({
    ...{ model: built, statistics, options: {}, optimize, recalibrate, techniques },
    source,
    sensitivity: 'none',
    fallback: 'none',
    ...rest,
  })
  return { ...result, asked, looked }
}

function wider(statistics: CalibrationStatistics, by: number): CalibrationStatistics {
  const tensors = Object.entries(statistics.tensors).map(([name, tensor]) => {
    const { min, max } = tensor.state.range!
    const range = { min: min * by, max: max * by }
    return [name, { ...tensor, state: { ...tensor.state, range } }]
  })
  return { ...statistics, tensors: Object.fromEntries(tensors) as never }
}

/** Proposes the model as it is: all that it changes are ranges. */
const calibrating = (name: string, changed?: ReadonlySet<string>): Technique => ({
  name,
  description: 'calibrates',
  movesRanges: true,
  propose: ({ model: same }) =>
    Promise.resolve({
      ...{ model: same, note: name, ...(changed === undefined ? {} : { changed }) },
      diagnostics: [{ severity: 'info', code: name, message: name, node: 'a', opType: 'MatMul' }],
    }),
})

const tries = (technique: Technique): ChosenTechnique => ({ technique, mode: 'try' })

describe('the techniques of a search', () => {
  it('calibrate on few samples each, and on all once before what works with ranges', async () => {
    const seen: SearchState[] = []
    const looking: Technique = {
      name: 'looking',
      description: 'looks at the ranges',
      propose: (state) => {
        seen.push(state)
        return Promise.resolve({ nothing: 'has seen enough' })
      },
    }
    const techniques = [calibrating('first'), calibrating('second'), looking].map(tries)
    const given = { widened: 16, ...OF_FIRST_BATCH }
    const { asked, tried, diagnostics } = await searched(data(1.2), techniques, given)
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['first', true],
      ['second', false],
      ['calibration', true],
      ['looking', false],
    ])
    expect(asked).toEqual([8, 8, undefined])
    expect(seen.map(({ statistics }) => statistics.samples)).toEqual([2 * ROWS])
    expect(tried[3]).toMatchObject({ note: '64 samples instead of 32' })
    expect(tried[3]!.sqnr_db).toBe(-10 * Math.log10(seen[0]!.error.noise))
    expect(diagnostics.filter(({ code }) => code === 'first')).toHaveLength(1)
  })

  it('are taken back where they are no better with the ranges of all samples', async () => {
    const plain = await searched(data(50), [], {
      ...OF_FIRST_BATCH,
      sensitivity: 'quantized_alone',
    })
    const techniques = [tries(calibrating('narrow'))]
    const {
      tried,
      model: result,
      diagnostics,
    } = await searched(data(50), techniques, OF_FIRST_BATCH)
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['narrow', false],
      ['calibration', false],
    ])
    const [nearest, narrow, calibration] = tried.map((row) => row.sqnr_db!)
    expect(narrow).toBeGreaterThan(nearest! + 10)
    expect(calibration).toBe(nearest)
    expect(tried[2]!.note).toMatch(/taken back/)
    expect(diagnostics.filter(({ code }) => code === 'narrow')).toEqual([])
    expect(result).toEqual(plain.model)
  })

  it('are taken back one by one, the last one first', async () => {
    const wild = new Set<Model>()
    const equalizing: Technique = {
      ...calibrating('wild'),
      propose: ({ model: uneven }) => {
        const { model: even } = equalizeLayers(uneven)
        wild.add(even)
        return Promise.resolve({ model: even, note: 'even' })
      },
    }
    const given = { ...OF_FIRST_BATCH, widened: 16, outlier: 30 }
    const techniques = [calibrating('first'), equalizing].map(tries)
    const isWild = (changed: Model) => wild.has(changed)
    const { tried } = await searched(data(1.2), techniques, { ...given, isWild })
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['first', true],
      ['wild', false],
      ['calibration', false],
      ['calibration', true],
    ])
    const [nearest, first, gained, , settled] = tried.map((row) => row.sqnr_db!)
    expect(gained).toBeGreaterThan(first! + 3)
    expect(settled).toBeGreaterThan(nearest! + 3)
  })

  it('are compared on ranges of equally few samples where all take long', async () => {
    const techniques = [tries(calibrating('narrow'))]
    const { tried, asked } = await searched(data(50, 5), techniques, OF_FIRST_BATCH)
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['few_samples', false],
      ['narrow', false],
    ])
    const [nearest, few, narrow] = tried.map((row) => row.sqnr_db!)
    expect(narrow).toBeGreaterThan(nearest! + 10)
    expect(few).toBe(narrow)
    expect(asked).toEqual([8, ROWS])
  })

  it('win that comparison when they are better', async () => {
    const equalizing: Technique = {
      ...calibrating('equalizing'),
      propose: ({ model: uneven }) => {
        const { model: even, changed } = equalizeLayers(uneven)
        return Promise.resolve({ model: even, changed, note: 'even' })
      },
    }
    const given = { ...OF_FIRST_BATCH, outlier: 30 }
    const { tried } = await searched(data(1, 5), [tries(equalizing)], given)
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['few_samples', false],
      ['equalizing', true],
      ['calibration', true],
    ])
    const [nearest, few] = tried.map((row) => row.sqnr_db!)
    expect(tried.at(-1)!.sqnr_db!).toBeGreaterThan(Math.max(nearest!, few!) + 3)
  })

  it('look at the values again that they have changed', async () => {
    const techniques = [new Set(['r']), new Set(['x']), new Set<string>()].map((changed, i) =>
      tries(calibrating(`${i}`, changed)),
    )
    const { looked, tried } = await searched(data(1), techniques, {
      ...{ widened: 16, ...OF_FIRST_BATCH },
    })
    expect(tried.map(({ chosen }) => chosen)).toEqual([true, true, true, false, true])
    expect(looked).toEqual([['r'], ['x'], [], ['x', 'r']])
  })

  it('calibrate once where the compared samples are all there are', async () => {
    const techniques = [tries(calibrating('first'))]
    const { asked, tried } = await searched(data(1), techniques, { widened: 16, macs: 1e7 })
    expect(asked).toEqual([64])
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['first', true],
    ])
  })

  it('calibrate on all samples at once where that takes no time', async () => {
    const techniques = [tries(calibrating('first'))]
    const { asked, tried } = await searched(data(1), techniques, { widened: 16, macs: 512 })
    expect(asked).toEqual([undefined])
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['first', true],
    ])
  })

  it('calibrate on all samples at once where they are used whatever comes of it', async () => {
    const techniques: readonly ChosenTechnique[] = [
      tries(calibrating('first')),
      { technique: calibrating('asked'), mode: 'use' },
    ]
    const given = { widened: 16, ...OF_FIRST_BATCH }
    const { asked, tried } = await searched(data(1), techniques, given)
    expect(tried.map(({ name, chosen }) => [name, chosen])).toEqual([
      ['nearest', true],
      ['first', true],
      ['calibration', true],
      ['asked', true],
    ])
    expect(asked).toEqual([8, undefined, undefined])
  })
})
