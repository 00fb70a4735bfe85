import { randomNetwork, relativeError, showing } from '@pare/channels/testing'
import { checkModel, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { createRandom, tensorFromInts, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { sourceOf } from '../layers/testing.js'
import { quantizeStatic } from '../static/quantize-static.js'
import { calibrated, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { collectChannelMaxima } from './channel-maxima.js'
import { clipPoints, equalizeLayers } from './equalize.js'

const C = 8

/** Weights [first, second, k, k] whose rows have very different sizes. */
function uneven(first: number, second: number, seed: number, kernel = 1): Float32Array {
  const random = createRandom(seed)
  const sizes = Float64Array.from({ length: first }, () => Math.exp(1.5 * random.normal()))
  const row = second * kernel * kernel
  return Float32Array.from(
    { length: first * row },
    (_, i) => (sizes[Math.floor(i / row)]! * random.normal()) / Math.sqrt(row),
  )
}

/** x [n, 8, 6, 6] → Conv a → `between` → Conv b → y. */
function twoConvs(between: (builder: ModelBuilder) => ModelBuilder, last = 'h'): Model {
  const start = model({ opset: 17 })
    .input('x', 'float32', ['n', C, 6, 6])
    .floats('a', [C, C, 1, 1], uneven(C, C, 1))
    .floats('bias', [C], randomValues(C, 2))
    .floats('b', [C, C, 1, 1], randomValues(C * C, 3))
    .node('Conv', ['x', 'a', 'bias'], ['u'])
    .named('first')
  return between(start).node('Conv', [last, 'b'], ['y']).named('second').output('y').build()
}

const feeds = { x: randomTensor([3, C, 6, 6], 7) }

async function expectSame(before: Model, after: Model): Promise<void> {
  checkModel(after)
  const [x, y] = [await runModel(before, feeds), await runModel(after, feeds)]
  for (const [name, tensor] of Object.entries(x)) {
    expect(relativeError(tensor, y[name]!), name).toBeLessThan(1e-5)
  }
}

/** Greatest magnitude per index of the first or second axis of a layer's weight. */
function ranges({ graph }: Model, layer: string, axis: 0 | 1): readonly number[] {
  const node = graph.nodes.find(({ name }) => name === layer)!
  const tensor = graph.initializers.get(node.inputs[1]!)!
  const [rows = 1, columns = 1] = tensor.dims
  const inner = tensor.dims.slice(2).reduce((size, dim) => size * dim, 1)
  const greatest = new Array<number>(axis === 0 ? rows : columns).fill(0)
  for (const [i, value] of toFloat32(tensor).entries()) {
    const row = Math.floor(i / (columns * inner))
    const at = axis === 0 ? row : Math.floor(i / inner) % columns
    greatest[at] = Math.max(greatest[at]!, Math.abs(value))
  }
  return greatest
}

function expectAlike(a: readonly number[], b: readonly number[]): void {
  expect(a.length).toBe(b.length)
  for (const [i, value] of a.entries()) expect(value / b[i]!).toBeCloseTo(1, 2)
}

const relu = (b: ModelBuilder) => b.node('Relu', ['u'], ['h'])

describe('equalizeLayers', () => {
  it('does not change what random networks compute', async () => {
    let pairs = 0
    for (let seed = 100; seed < 140; seed++) {
      const built = randomNetwork(seed, { norms: false })
      const result = equalizeLayers(built)
      checkModel(result.model)
      pairs += result.pairs.length
      const sample = { x: randomTensor([2, 4, 6, 6], seed) }
      const [before, after] = [await runModel(built, sample), await runModel(result.model, sample)]
      for (const [name, tensor] of Object.entries(before)) {
        expect(relativeError(tensor, after[name]!), `seed ${seed}, ${name}`).toBeLessThan(1e-5)
      }
    }
    expect(pairs).toBeGreaterThan(40)
  })

  it('says which values it has changed', async () => {
    let changed = 0
    for (let seed = 100; seed < 120; seed++) {
      const built = randomNetwork(seed, { norms: false })
      const result = equalizeLayers(built)
      const sample = { x: randomTensor([2, 4, 6, 6], seed) }
      const before = await runModel(showing(built, built), sample)
      const after = await runModel(showing(result.model, built), sample)
      for (const [name, tensor] of Object.entries(before)) {
        const error = relativeError(tensor, after[name]!)
        if (!result.changed.has(name)) expect(error, `seed ${seed}, ${name}`).toBeLessThan(1e-5)
        else if (error > 1e-2) changed++
      }
    }
    expect(changed).toBeGreaterThan(20)
  })

  it('gives both weights the same range in every channel between them', async () => {
    const built = twoConvs(relu)
    const { model: after, pairs, diagnostics } = equalizeLayers(built)
    expectAlike(ranges(after, 'first', 0), ranges(after, 'second', 1))
    expect(pairs).toMatchObject([{ first: 'first', second: 'second' }])
    expect(pairs[0]!.scales.max / pairs[0]!.scales.min).toBeGreaterThan(4)
    expect(diagnostics).toMatchObject([{ code: 'input_not_scalable', node: 'first' }])
    await expectSame(built, after)
  })

  it('balances a depthwise convolution with the layers on both sides', async () => {
    const built = twoConvs(
      (b) =>
        relu(b)
          .floats('d', [C, 1, 3, 3], uneven(C, 1, 4, 3))
          .node('Conv', ['h', 'd'], ['v'], { group: C, pads: [1, 1, 1, 1] })
          .named('depthwise')
          .node('LeakyRelu', ['v'], ['w']),
      'w',
    )
    const { model: after, pairs } = equalizeLayers(built)
    expectAlike(ranges(after, 'first', 0), ranges(after, 'depthwise', 0))
    expectAlike(ranges(after, 'depthwise', 0), ranges(after, 'second', 1))
    expect(pairs.map(({ first, second }) => [first, second])).toEqual([
      ['first', 'depthwise'],
      ['depthwise', 'second'],
    ])
    await expectSame(built, after)
  })

  it('scales a residual sum with all that write and read it', async () => {
    const built = twoConvs(
      (b) =>
        relu(b)
          .floats('c', [C, C, 1, 1], uneven(C, C, 5))
          .node('Conv', ['h', 'c'], ['v'])
          .named('inner')
          .node('Add', ['v', 'h'], ['sum']),
      'sum',
    )
    const { model: after, pairs } = equalizeLayers(built)
    expect(pairs.map(({ first, second }) => `${first} ${second}`)).toContain('first second')
    expect(pairs.map(({ first, second }) => `${first} ${second}`)).toContain('inner second')
    await expectSame(built, after)
  })

  it('goes through pooling and flattening into a Gemm', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', C, 6, 6])
      .floats('a', [C, C, 1, 1], uneven(C, C, 1))
      .floats('g', [5, C * 9], randomValues(5 * C * 9, 3))
      .node('Conv', ['x', 'a'], ['u'])
      .named('first')
      .node('MaxPool', ['u'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] })
      .node('Flatten', ['p'], ['f'])
      .node('Gemm', ['f', 'g'], ['y'], { transB: 1 })
      .named('second')
      .output('y')
      .build()
    const { model: after, pairs } = equalizeLayers(built)
    expect(pairs).toHaveLength(1)
    const columns = ranges(after, 'second', 1)
    const channels = Array.from({ length: C }, (_, i) =>
      Math.max(...columns.slice(i * 9, i * 9 + 9)),
    )
    expectAlike(ranges(after, 'first', 0), channels)
    await expectSame(built, after)
  })

  it('leaves a channel alone whose weights are zero on one side', async () => {
    const built = twoConvs(relu)
    const a = toFloat32(built.graph.initializers.get('a')!).map((value, i) => (i < C ? 0 : value))
    const dead = twoConvs((b) => relu(b.floats('a', [C, C, 1, 1], a)))
    const { model: after } = equalizeLayers(dead)
    expect(ranges(after, 'second', 1)[0]).toBe(ranges(dead, 'second', 1)[0])
    await expectSame(dead, after)
  })

  it('keeps factors within the limit', () => {
    const { min, max } = equalizeLayers(twoConvs(relu), { maxScale: 2 }).pairs[0]!.scales
    expect(min).toBe(0.5)
    expect(max).toBeLessThanOrEqual(2)
  })
})

const STOPS: Readonly<Record<string, readonly [string, (b: ModelBuilder) => ModelBuilder]>> = {
  'a Sigmoid': ['input_not_scalable', (b) => b.node('Sigmoid', ['u'], ['h'])],
  'a reader that is not homogeneous': [
    'not_homogeneous',
    (b) => relu(b).node('Sigmoid', ['h'], ['other']).output('other'),
  ],
  'an output of the model': ['graph_output', (b) => relu(b).output('h')],
  'a bounded Clip': [
    'clip_bounds',
    (b) => b.floats('lo', [], [0]).floats('hi', [], [1]).node('Clip', ['u', 'lo', 'hi'], ['h']),
  ],
  'a sum with what cannot be scaled': [
    'operand_not_scalable',
    (b) => b.node('Add', ['u', 'x'], ['h']),
  ],
  'a weight that two layers read': [
    'weight_shared',
    (b) => relu(b).node('Conv', ['h', 'b'], ['other']).output('other'),
  ],
  'a computed bias': [
    'bias_not_constant',
    (b) =>
      relu(b)
        .input('shift', 'float32', [C])
        .floats('e', [C, C, 1, 1], randomValues(C * C, 9))
        .node('Conv', ['h', 'e', 'shift'], ['v'])
        .node('Relu', ['v'], ['w']),
  ],
  'channels in an order that is not known': [
    'layout_unknown',
    (b) =>
      b
        .initializer('shape', tensorFromInts('int64', [4], [-1, C, 6, 6]))
        .node('Reshape', ['u', 'shape'], ['h']),
  ],
}

describe('equalizeLayers stops at', () => {
  it.each(Object.keys(STOPS))('%s, and says so', (name) => {
    const [code, between] = STOPS[name]!
    const last = name === 'a computed bias' ? 'w' : 'h'
    const built = twoConvs(between, last)
    const result = equalizeLayers(built)
    expect(result.pairs.filter((pair) => pair.second === 'second')).toEqual([])
    expect(result.diagnostics.filter(({ node }) => node === 'second')).toMatchObject([{ code }])
  })
})

describe('a bounded Clip', () => {
  const built = twoConvs((b) =>
    b.floats('lo', [], [0]).floats('hi', [], [6]).node('Clip', ['u', 'lo', 'hi'], ['h']),
  )
  const maxima = () =>
    collectChannelMaxima({
      model: built,
      points: clipPoints(built),
      source: sourceOf(onnxRuntime(), [feeds]),
      samples: 3,
    })

  it('passes factors where no value came near the bound, as far as none does then', async () => {
    const clipMaxima = await maxima()
    const reaches = [...clipMaxima.get('h')!].map((value) => value >= 5.88)
    expect(new Set(reaches).size).toBe(2)
    const { model: after, pairs } = equalizeLayers(built, { clipMaxima })
    expect(pairs).toHaveLength(1)
    await expectSame(built, after)
    const [before, then] = [ranges(built, 'second', 1), ranges(after, 'second', 1)]
    for (const [i, isBound] of reaches.entries()) {
      if (isBound) expect(then[i]).toBe(before[i])
    }
  })
})

/** Inverted residuals as MobileNetV2 has them, with channels as uneven as training leaves them. */
function mobileNet(): Model {
  const wide = 4 * C
  const builder = model({ opset: 17 }).input('x', 'float32', ['n', C, 8, 8])
  let value = 'x'
  for (let block = 0; block < 3; block++) {
    const name = (suffix: string) => `${suffix}${block}`
    const seed = 100 * block
    builder
      .floats(name('expand'), [wide, C, 1, 1], uneven(wide, C, seed + 1))
      .floats(name('expandBias'), [wide], randomValues(wide, seed + 2, 0.1))
      .floats(name('depth'), [wide, 1, 3, 3], uneven(wide, 1, seed + 3, 3))
      .floats(name('depthBias'), [wide], randomValues(wide, seed + 4, 0.1))
      .floats(name('project'), [C, wide, 1, 1], randomValues(C * wide, seed + 5, 0.2))
      .node('Conv', [value, name('expand'), name('expandBias')], [name('e')])
      .node('Relu', [name('e')], [name('f')])
      .node('Conv', [name('f'), name('depth'), name('depthBias')], [name('d')], {
        group: wide,
        pads: [1, 1, 1, 1],
      })
      .node('Relu', [name('d')], [name('g')])
      .node('Conv', [name('g'), name('project')], [name('p')])
    value = name('p')
  }
  return builder.output(value).build()
}

describe('a network like MobileNet with one scale per weight', () => {
  it('gains 10 decibels and more', async () => {
    const built = mobileNet()
    const batches = [1, 2, 3, 4].map((seed) => ({ x: randomTensor([4, C, 8, 8], seed) }))
    const decibels = async (candidate: Model) => {
      const options = { perChannel: false, isa: 'vnni' } as const
      const statistics = await calibrated(candidate, batches, options)
      const quantized = quantizeStatic(candidate, statistics, options)
      expect(quantized.layers.filter(({ decision }) => decision === 'integer')).toHaveLength(9)
      const sample = { x: randomTensor([4, C, 8, 8], 5) }
      const output = built.graph.outputs[0]!.name
      const [signal, result] = [
        await runModel(built, sample),
        await runModel(quantized.model, sample),
      ]
      return sqnr(signal[output]!, result[output]!)
    }
    const [before, after] = [await decibels(built), await decibels(equalizeLayers(built).model)]
    expect(after).toBeGreaterThan(before + 10)
  })
})
