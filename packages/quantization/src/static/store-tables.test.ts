// Embeddings beside layers in integers.
import { attr, checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import type { RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { calibrated, optimize, randomValues, runModel, sqnr } from '../testing.js'
import type { QuantizeStaticOptions } from './options.js'
import { quantizeStatic } from './quantize-static.js'
import { quantizeVerified } from './quantize-verified.js'

const ENTRIES = 256
const WIDTH = 64

function ids(seed: number, length = 24): RuntimeTensor {
  const data = BigInt64Array.from({ length }, (_, i) => BigInt((i * 37 + seed * 11) % ENTRIES))
  return { dataType: 'int64', dims: [2, length / 2], data }
}

/** Entries of very different sizes: one scale for all of them would lose the small ones. */
function entries(): Float32Array {
  return randomValues(ENTRIES * WIDTH, 1).map(
    (value, i) => value * 2 ** -(Math.floor(i / WIDTH) % 7),
  )
}

/** Words and positions, a layer, and a product with the table itself where it is tied. */
function network(tied = false): Model {
  const built = model({ opset: 17 })
    .input('ids', 'int64', ['n', 't'])
    .floats('table', [ENTRIES, WIDTH], entries())
    .floats('w', [WIDTH, 256], randomValues(WIDTH * 256, 2, 0.1))
    .floats('v', [256, WIDTH], randomValues(WIDTH * 256, 3, 0.1))
    .node('Gather', ['table', 'ids'], ['e'])
    .named('embedding')
    .node('MatMul', ['e', 'w'], ['h'])
    .node('Relu', ['h'], ['r'])
    .node('MatMul', ['r', 'v'], ['o'])
  if (!tied) return built.node('Identity', ['o'], ['y']).output('y').build()
  return built
    .node('Transpose', ['table'], ['transposed'], { perm: [1, 0] })
    .node('MatMul', ['o', 'transposed'], ['y'])
    .output('y')
    .build()
}

const batches = [1, 2, 3].map((seed) => ({ ids: ids(seed) }))

async function quantized(built: Model, options: QuantizeStaticOptions = {}) {
  const statistics = await calibrated(built, batches, options)
  const result = quantizeStatic(built, statistics, options)
  checkModel(result.model)
  return result
}

function types({ graph }: Model, elements: number): readonly string[] {
  return [...graph.initializers.values()]
    .filter(({ dims }) => dims.reduce((product, size) => product * size, 1) === elements)
    .map(({ dataType }) => dataType)
}

describe('embeddings in static quantization', () => {
  it('are stored in int8, an entry with a scale of its own', async () => {
    const built = network()
    const { model: after, layers } = await quantized(built)
    expect(layers.at(-1)).toMatchObject({
      ...{ node: 'embedding', opType: 'Gather', decision: 'integer' },
      weight: { type: 'int8', granularity: 'per_channel', channels: ENTRIES },
    })
    expect(encodeModel(after).length / encodeModel(built).length).toBeLessThan(0.3)
    const feeds = { ids: ids(9) }
    const expected = (await runModel(built, feeds))['y']!
    for (const optimization of ['none', 'all'] as const) {
      const actual = (await runModel(after, feeds, { optimization }))['y']!
      expect(sqnr(expected, actual)).toBeGreaterThan(28)
    }
  })

  it('are no reason to leave anything else float, when read back', async () => {
    const built = network()
    const statistics = await calibrated(built, batches)
    const result = await quantizeVerified({ model: built, statistics, optimize })
    expect(result.rounds).toBe(1)
    expect(result.layers.at(-1)).toMatchObject({ opType: 'Gather', kernel: 'Gather' })
    const forced = new Map([['e', { reason: 'accuracy_fallback', message: 'asked for' } as const]])
    const without = await quantizeVerified({ model: built, statistics, optimize, forced })
    expect(without.layers.at(-1)).toMatchObject({ decision: 'float', reason: 'accuracy_fallback' })
    expect(types(without.model, ENTRIES * WIDTH)).toContain('float32')
  })

  it.each([
    [{ nodesToExclude: ['embedding'] }, 'excluded_by_name'],
    [{ opTypesToQuantize: ['MatMul'] }, 'excluded_by_type'],
  ])('stay float with %o', async (options, reason) => {
    const { model: after, layers, diagnostics } = await quantized(network(), options)
    expect(layers.at(-1)).toMatchObject({ node: 'embedding', decision: 'float', reason })
    expect(diagnostics).toContainEqual(expect.objectContaining({ code: reason }))
    expect(types(after, ENTRIES * WIDTH)).toContain('float32')
  })

  it('stay float beside a float reader, which is named, and with 16-bit activations', async () => {
    const tied = await quantized(network(true))
    expect(tied.layers.at(-1)).toMatchObject({ decision: 'float', reason: 'weight_shared' })
    expect(tied.layers.at(-1)!.message).toContain('Transpose')
    expect(tied.model.graph.initializers.get('table')!.dataType).toBe('float32')
    const wide = await quantized(network(), { activationType: 'uint16' })
    expect(wide.layers.some(({ opType }) => opType === 'Gather')).toBe(false)
    expect(wide.model.graph.initializers.get('table')!.dataType).toBe('float32')
  })

  it('are stored beside the integers of a layer that shares them', async () => {
    const built = model({ opset: 17 })
      .input('ids', 'int64', ['n'])
      .floats('table', [ENTRIES, WIDTH], entries())
      .floats('w', [WIDTH, WIDTH], randomValues(WIDTH * WIDTH, 2, 0.1))
      .node('Gather', ['table', 'ids'], ['e'])
      .node('Gemm', ['e', 'w'], ['h'])
      .node('Gemm', ['h', 'table'], ['y'], { transB: attr.int(1) })
      .output('y')
      .build()
    const flat = (seed: number) => ({ ids: { ...ids(seed), dims: [24] } })
    const statistics = await calibrated(built, [flat(1), flat(2)])
    const { model: after } = quantizeStatic(built, statistics)
    expect(types(after, ENTRIES * WIDTH)).toEqual(['int8', 'int8'])
  })

  it('are shared by branches of If, which are not all that reads them', async () => {
    const branch = (name: string) =>
      model()
        .node('Gather', ['table', 'ids'], [`g_${name}`])
        .node('Neg', [`g_${name}`], [name])
        .output(name)
        .graph()
    const built = model({ opset: 17 })
      .input('ids', 'int64', ['n', 't'])
      .input('flag', 'bool', [])
      .floats('table', [ENTRIES, WIDTH], entries())
      .floats('w', [WIDTH, 256], randomValues(WIDTH * 256, 2, 0.1))
      .node('If', ['flag'], ['a'], { then_branch: branch('p'), else_branch: branch('q') })
      .node('Gather', ['table', 'ids'], ['e'])
      .node('Add', ['a', 'e'], ['s'])
      .node('MatMul', ['s', 'w'], ['y'])
      .output('y')
      .build()
    const flag = { dataType: 'bool', dims: [], data: Uint8Array.of(1) } as const
    const feeds = batches.map((batch) => ({ ...batch, flag }))
    const statistics = await calibrated(built, feeds)
    const { model: after, layers } = quantizeStatic(built, statistics)
    checkModel(after)
    expect(layers.filter(({ opType }) => opType === 'Gather')).toHaveLength(3)
    expect(types(after, ENTRIES * WIDTH)).not.toContain('float32')
    await runModel(after, feeds[0]!)
  })
})
