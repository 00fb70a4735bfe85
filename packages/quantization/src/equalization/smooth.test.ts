import { randomNetwork, relativeError, showing } from '@pare/channels/testing'
import { attr, checkModel, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import type { RuntimeTensor } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { sourceOf } from '../layers/testing.js'
import { quantizeStatic } from '../static/quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { collectChannelMaxima } from './channel-maxima.js'
import { smoothPoints, smoothQuant, type SmoothQuantOptions } from './smooth.js'

const K = 16
const runtime = onnxRuntime()

type Batch = Readonly<Record<string, RuntimeTensor>>

async function smoothed(
  built: Model,
  batches: readonly Batch[],
  options: Omit<SmoothQuantOptions, 'channelMaxima'> = {},
) {
  const channelMaxima = await collectChannelMaxima({
    model: built,
    points: smoothPoints(built, options),
    source: sourceOf(runtime, batches),
    samples: 1000,
  })
  return { ...smoothQuant(built, { ...options, channelMaxima }), channelMaxima }
}

function opTypes({ graph }: Model): readonly string[] {
  return graph.nodes.map(({ opType }) => opType)
}

/** One channel in eight is 40 times as large as the others. */
const gains = Float32Array.from({ length: K }, (_, i) => (i % 8 === 5 ? 40 : 1))

/** `start` makes v [n, 16] of x, which two layers read. */
function twoReaders(start: (builder: ModelBuilder) => ModelBuilder): Model {
  return start(model({ opset: 17 }).input('x', 'float32', ['n', K]).floats('g', [K], gains))
    .floats('p', [K, 12], randomValues(K * 12, 3))
    .floats('q', [8, K], randomValues(8 * K, 4))
    .node('MatMul', ['v', 'p'], ['y'])
    .named('matmul')
    .node('Gemm', ['v', 'q'], ['z'], { transB: 1 })
    .named('gemm')
    .output('y')
    .output('z')
    .build()
}

const feeds = { x: randomTensor([20, K], 1) }

const PRODUCERS: Readonly<Record<string, (b: ModelBuilder) => ModelBuilder>> = {
  LayerNormalization: (b) =>
    b.floats('o', [K], randomValues(K, 5)).node('LayerNormalization', ['x', 'g', 'o'], ['v']),
  'Mul and Add of a decomposed norm': (b) =>
    b
      .floats('o', [K], randomValues(K, 5))
      .node('Mul', ['g', 'x'], ['u'])
      .node('Add', ['u', 'o'], ['v']),
  'Div by a constant': (b) => b.node('Div', ['x', 'g'], ['v']),
  'MatMul, Add and Relu': (b) =>
    b
      .floats(
        'a',
        [K, K],
        randomValues(K * K, 6).map((value, i) => value * gains[i % K]!),
      )
      .floats('o', [K], randomValues(K, 5))
      .node('MatMul', ['x', 'a'], ['t'])
      .node('Add', ['t', 'o'], ['u'])
      .node('Relu', ['u'], ['v']),
  'Gemm, one half of a gate': (b) =>
    b
      .floats(
        'a',
        [K, K],
        randomValues(K * K, 6).map((value, i) => value * gains[i % K]!),
      )
      .floats('c', [K, K], randomValues(K * K, 8))
      .node('Gemm', ['x', 'a'], ['up'])
      .node('MatMul', ['x', 'c'], ['gate'])
      .node('Sigmoid', ['gate'], ['open'])
      .node('Mul', ['open', 'up'], ['v']),
}

describe('smoothQuant', () => {
  it('does not change what random networks compute', async () => {
    const counts = { folded: 0, inserted: 0 }
    for (let seed = 100; seed < 124; seed++) {
      const built = randomNetwork(seed, { norms: false })
      const batch = { x: randomTensor([2, 4, 6, 6], seed) }
      const options = { opTypes: ['Conv', 'Gemm', 'MatMul'], insertMul: seed % 2 === 0 } as const
      const { model: after, smoothed: groups } = await smoothed(built, [batch], options)
      checkModel(after)
      for (const { isInserted } of groups) counts[isInserted ? 'inserted' : 'folded']++
      const [x, y] = [await runModel(built, batch), await runModel(after, batch)]
      for (const [name, tensor] of Object.entries(x)) {
        expect(relativeError(tensor, y[name]!), `seed ${seed}, ${name}`).toBeLessThan(1e-5)
      }
    }
    expect(counts.folded).toBeGreaterThan(40)
    expect(counts.inserted).toBeGreaterThan(10)
  })

  it('says which values it has changed', async () => {
    let changed = 0
    for (let seed = 100; seed < 120; seed++) {
      const built = randomNetwork(seed)
      const batch = { x: randomTensor([2, 4, 6, 6], seed) }
      const options = { opTypes: ['Conv', 'Gemm', 'MatMul'], insertMul: seed % 2 === 0 } as const
      const result = await smoothed(built, [batch], options)
      const before = await runModel(showing(built, built), batch)
      const after = await runModel(showing(result.model, built), batch)
      for (const [name, tensor] of Object.entries(before)) {
        const error = relativeError(tensor, after[name]!)
        if (!result.changed.has(name)) expect(error, `seed ${seed}, ${name}`).toBeLessThan(1e-4)
        else if (error > 1e-2) changed++
      }
    }
    expect(changed).toBeGreaterThan(20)
  })

  it.each(Object.keys(PRODUCERS))('folds the factors into %s, for all readers', async (name) => {
    const built = twoReaders(PRODUCERS[name]!)
    const { model: after, smoothed: groups } = await smoothed(built, [feeds])
    checkModel(after)
    expect(opTypes(after)).toEqual(opTypes(built))
    expect(groups.at(-1)).toMatchObject({ values: ['v'], layers: ['matmul', 'gemm'], alpha: 0.5 })
    const [x, y] = [await runModel(built, feeds), await runModel(after, feeds)]
    expect(relativeError(x['y']!, y['y']!)).toBeLessThan(1e-5)
    expect(relativeError(x['z']!, y['z']!)).toBeLessThan(1e-5)
  })

  it('divides by max|X|^α / max|W|^(1 − α)', async () => {
    const built = twoReaders(PRODUCERS['LayerNormalization']!)
    const { model: after, channelMaxima } = await smoothed(built, [feeds], { alpha: 0.75 })
    const node = after.graph.nodes[0]!
    const scale = (await runModel(after, feeds), after.graph.initializers.get(node.inputs[1]!)!)
    const [p, q] = [randomValues(K * 12, 3), randomValues(8 * K, 4)]
    const actual =
      scale.data.kind === 'bytes' ? new Float32Array(scale.data.bytes.slice().buffer) : []
    for (let j = 0; j < K; j++) {
      const row = Array.from({ length: 12 }, (_, i) => Math.abs(p[j * 12 + i]!))
      const column = Array.from({ length: 8 }, (_, i) => Math.abs(q[i * K + j]!))
      const weight = Math.max(...row, ...column)
      const factor = channelMaxima.get('v')![j]! ** 0.75 / weight ** 0.25
      expect(actual[j]! / (gains[j]! / factor)).toBeCloseTo(1, 5)
    }
  })

  it('inserts a Mul by request alone', async () => {
    const built = twoReaders((b) => b.node('Abs', ['x'], ['v']))
    const refused = await smoothed(built, [feeds])
    expect(refused.model).toBe(built)
    expect(refused.diagnostics).toMatchObject([
      { code: 'input_not_scalable', node: 'matmul' },
      { code: 'input_not_scalable', node: 'gemm' },
    ])
    const { model: after, smoothed: groups } = await smoothed(built, [feeds], { insertMul: true })
    expect(opTypes(after)).toEqual(['Abs', 'Mul', 'MatMul', 'Gemm'])
    expect(groups).toMatchObject([{ values: ['v'], isInserted: true }])
    const [x, y] = [await runModel(built, feeds), await runModel(after, feeds)]
    expect(relativeError(x['y']!, y['y']!)).toBeLessThan(1e-5)
  })

  it('leaves the one half of GELU a scalar, which the runtime fuses', async () => {
    const built = twoReaders((b) =>
      b.floats('half', [], [0.5]).node('Erf', ['x'], ['u']).node('Mul', ['u', 'half'], ['v']),
    )
    const { model: after, diagnostics } = await smoothed(built, [feeds])
    expect(after).toBe(built)
    expect(diagnostics.map(({ code }) => code)).toEqual([
      'input_not_scalable',
      'input_not_scalable',
    ])
  })

  it('leaves an activation that others read, and layers that were not observed', async () => {
    const shared = twoReaders((b) => PRODUCERS['LayerNormalization']!(b).node('Exp', ['v'], ['w']))
    const { model: after, diagnostics } = await smoothed(shared, [feeds])
    expect(after).toBe(shared)
    expect(diagnostics.map(({ code }) => code)).toEqual(['not_homogeneous', 'not_homogeneous'])
    const built = twoReaders(PRODUCERS['LayerNormalization']!)
    const unseen = smoothQuant(built, { channelMaxima: new Map() })
    expect(unseen.diagnostics.map(({ code }) => code)).toEqual([
      'no_channel_maxima',
      'no_channel_maxima',
    ])
  })

  it('takes the channels of one value along one axis', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', 4, 4])
      .floats('w', [5, 4, 1], randomValues(20, 1))
      .floats('m', [4, 2], randomValues(8, 2))
      .node('Abs', ['x'], ['v'])
      .node('Conv', ['v', 'w'], ['y'])
      .named('conv')
      .node('MatMul', ['v', 'm'], ['z'])
      .named('matmul')
      .output('y')
      .output('z')
      .build()
    const batch = { x: randomTensor([3, 4, 4], 1) }
    const options = { opTypes: ['Conv', 'MatMul'], insertMul: true } as const
    const { model: after, smoothed: groups, diagnostics } = await smoothed(built, [batch], options)
    expect(groups).toMatchObject([{ layers: ['conv'], isInserted: true }])
    expect(diagnostics).toMatchObject([{ code: 'layout_unknown', node: 'matmul' }])
    const [x, y] = [await runModel(built, batch), await runModel(after, batch)]
    for (const name of ['y', 'z']) expect(relativeError(x[name]!, y[name]!)).toBeLessThan(1e-5)
  })

  it('refuses an alpha that is none', () => {
    const built = twoReaders(PRODUCERS['LayerNormalization']!)
    const run = () => smoothQuant(built, { channelMaxima: new Map(), alpha: 1.5 })
    expect(run).toThrow(expect.objectContaining({ code: 'quantization_options_invalid' }) as Error)
  })
})

const WIDTH = 64

/** A block of a transformer with few large channels behind its norms, as language models have them. */
function transformer(): Model {
  const outliers = Float32Array.from({ length: WIDTH }, (_, i) => (i % 21 === 4 ? 60 : 1))
  const builder = model({ opset: 17 })
    .input('x', 'float32', ['n', 10, WIDTH])
    .floats('g', [WIDTH], outliers)
    .floats('o', [WIDTH], randomValues(WIDTH, 1, 0.1))
    .floats('half', [], [0.5])
    .floats('one', [], [1])
    .floats('root', [], [Math.SQRT2])
  const linear = (input: string, name: string, outputs = WIDTH, inputs = WIDTH) => {
    const seed = name.charCodeAt(0) * 10
    // Trained weights are small where their inputs are large.
    const values = randomValues(inputs * outputs, seed, inputs ** -0.5).map((value, i) =>
      input.startsWith('n') ? value / Math.sqrt(outliers[Math.floor(i / outputs)]!) : value,
    )
    builder
      .floats(`${name}_w`, [inputs, outputs], values)
      .floats(`${name}_b`, [outputs], randomValues(outputs, seed + 1, 0.1))
      .node('MatMul', [input, `${name}_w`], [`${name}_p`])
      .node('Add', [`${name}_p`, `${name}_b`], [name])
  }
  builder.node('LayerNormalization', ['x', 'g', 'o'], ['n1'])
  for (const name of ['q', 'k', 'v']) linear('n1', name)
  builder
    .node('Transpose', ['k'], ['kt'], { perm: [0, 2, 1] })
    .node('MatMul', ['q', 'kt'], ['scores'])
    .floats('scale', [], [1 / WIDTH])
    .node('Mul', ['scores', 'scale'], ['scaled'])
    .node('Softmax', ['scaled'], ['weights'], { axis: -1 })
    .node('MatMul', ['weights', 'v'], ['mixed'])
  linear('mixed', 'out')
  builder
    .node('Add', ['x', 'out'], ['middle'])
    .node('LayerNormalization', ['middle', 'g', 'o'], ['n2'], { epsilon: attr.float(1e-5) })
  linear('n2', 'up', 4 * WIDTH)
  builder
    .node('Div', ['up', 'root'], ['d'])
    .node('Erf', ['d'], ['e'])
    .node('Add', ['e', 'one'], ['f'])
    .node('Mul', ['up', 'f'], ['h'])
    .node('Mul', ['h', 'half'], ['gelu'])
  linear('gelu', 'down', WIDTH, 4 * WIDTH)
  return builder.node('Add', ['middle', 'down'], ['y']).output('y').build()
}

describe('a transformer with outliers', () => {
  it('gains 5 decibels and more', async () => {
    const built = transformer()
    const batches = [1, 2, 3, 4].map((seed) => ({ x: randomTensor([4, 10, WIDTH], seed) }))
    const sample = { x: randomTensor([4, 10, WIDTH], 5) }
    const signal = (await runModel(built, sample))['y']!
    const decibels = async (candidate: Model) => {
      const statistics = await calibrated(candidate, batches)
      const quantized = quantizeStatic(candidate, statistics)
      expect(
        quantized.layers.filter(({ decision }) => decision === 'integer').length,
      ).toBeGreaterThan(5)
      return sqnr(signal, (await runModel(quantized.model, sample))['y']!)
    }
    const { model: after, smoothed: groups } = await smoothed(built, batches)
    expect(groups.map(({ layers }) => layers.length)).toEqual([3, 1])
    expect(opTypes(after)).toEqual(opTypes(built))
    const [before, then] = [await decibels(built), await decibels(after)]
    expect(then).toBeGreaterThan(before + 5)
  })
})

describe('collectChannelMaxima', () => {
  const built = model({ opset: 18 })
    .input('x', 'float32', ['n', 3, 4])
    .floats('w', [5, 3, 1], randomValues(15, 1))
    .floats('m', [4, 2], randomValues(8, 2))
    .node('Conv', ['x', 'w'], ['y'])
    .node('MatMul', ['x', 'm'], ['z'])
    .output('y')
    .output('z')
    .build()

  const collect = (of: Model, batches: readonly Batch[], types: readonly ('Conv' | 'MatMul')[]) =>
    collectChannelMaxima({
      model: of,
      points: smoothPoints(of, { opTypes: types }),
      source: sourceOf(runtime, batches),
      samples: 1000,
    })

  /** [n, 3, 4] → max |x| of the finite values per index of an axis. */
  function expected(batches: readonly Batch[], axis: 1 | 2): Float32Array {
    const greatest = new Float32Array(axis === 1 ? 3 : 4)
    for (const { x } of batches) {
      for (const [i, value] of (x!.data as Float32Array).entries()) {
        const at = axis === 1 ? Math.floor(i / 4) % 3 : i % 4
        if (Number.isFinite(value)) greatest[at] = Math.max(greatest[at]!, Math.abs(value))
      }
    }
    return greatest
  }

  const ragged = [5, 3, 1].map((rows, seed) => ({ x: randomTensor([rows, 3, 4], seed) }))

  it('takes the second axis for Conv and the last for MatMul, over batches of any size', async () => {
    expect((await collect(built, ragged, ['Conv'])).get('x')).toEqual(expected(ragged, 1))
    expect((await collect(built, ragged, ['MatMul'])).get('x')).toEqual(expected(ragged, 2))
    const old = { ...built, opsetImports: [{ domain: '', version: 13 }] }
    expect((await collect(old, ragged, ['Conv'])).get('x')).toEqual(expected(ragged, 1))
  })

  it('leaves out what is not finite, and nothing else', async () => {
    const data = randomValues(24, 9, 5)
    data.set([NaN, Infinity, -Infinity], 3)
    const spoilt = [...ragged, { x: { dataType: 'float32' as const, dims: [2, 3, 4], data } }]
    expect((await collect(built, spoilt, ['Conv'])).get('x')).toEqual(expected(spoilt, 1))
    expect((await collect(built, spoilt, ['MatMul'])).get('x')).toEqual(expected(spoilt, 2))
  })

  it('looks at a few samples first, and at the others where they are worth it', async () => {
    const singles = [1, 2, 3, 4].map((seed) => ({ x: randomTensor([1, 3, 4], seed, seed) }))
    const source = sourceOf(runtime, singles)
    const parts: unknown[] = []
    const glancing = (isWorthMore: boolean) =>
      collectChannelMaxima({
        model: built,
        points: smoothPoints(built, { opTypes: ['Conv'] }),
        source: {
          ...source,
          batches: (part = {}) => {
            parts.push([part.from ?? 0, part.samples])
            return source.batches(part)
          },
        },
        samples: 4,
        glance: { samples: 1, isWorthMore: () => isWorthMore },
      })
    expect((await glancing(false)).get('x')).toEqual(expected(singles.slice(0, 1), 1))
    expect((await glancing(true)).get('x')).toEqual(expected(singles, 1))
    expect(parts).toEqual([
      [0, 1],
      [0, 1],
      [1, 3],
    ])
  })

  it('refuses to answer without data', async () => {
    await expect(collect(built, [], ['Conv'])).rejects.toMatchObject({
      code: 'quantization_statistics_missing',
    })
  })
})
