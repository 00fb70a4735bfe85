import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { createRandom, tensorFromFloats, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { clusterValues } from './cluster-values.js'
import { clusterWeights } from './cluster-weights.js'
import { pruneWeights } from './prune-weights.js'

/** Normal, uniform, with outliers, over many magnitudes, with ties, in two heaps; zeros in some. */
function drawn(seed: number): Float32Array {
  const { normal, uniform } = createRandom(seed)
  const shapes: readonly (() => number)[] = [
    () => normal(),
    () => uniform(),
    () => normal() * (uniform() < 0.01 ? 100 : 0.1),
    () => normal() * 10 ** (uniform() * 70 - 40),
    () => Math.round(normal() * 20) / 8,
    () => (uniform() < 0.5 ? -3 : 5) + normal() * 0.01,
  ]
  const draw = shapes[seed % shapes.length]!
  const zeros = seed % 4 === 0 ? 0.5 : 0
  const size = 1 + Math.floor(uniform() * 2000)
  return Float32Array.from({ length: size }, () => (uniform() < zeros ? 0 : draw()))
}

function squaredError(values: Float32Array, others: Float32Array): number {
  return values.reduce((sum, value, i) => sum + (value - others[i]!) ** 2, 0)
}

/** Equal parts of the range, each with the mean of what lies in it. */
function binned(values: Float32Array, bins: number): Float32Array {
  const low = values.reduce((a, b) => Math.min(a, b))
  const width = (values.reduce((a, b) => Math.max(a, b)) - low) / bins
  const binOf = (value: number) => Math.min(Math.floor((value - low) / width), bins - 1)
  const members = Array.from({ length: bins }, (_, bin) =>
    values.filter((value) => binOf(value) === bin),
  )
  const means = members.map((own) => own.reduce((sum, one) => sum + one, 0) / own.length)
  return values.map((value) => means[binOf(value)]!)
}

describe('clusterValues', () => {
  it.each([2, 3, 16, 37, 256])('gives at most %i values, and zeros stay alone', (clusters) => {
    for (let seed = 0; seed < 24; seed++) {
      const values = drawn(seed)
      const made = clusterValues(values, clusters)
      if (made === undefined) {
        expect(new Set(values).size).toBeLessThanOrEqual(clusters)
        continue
      }
      expect(new Set(made).size).toBeLessThanOrEqual(clusters)
      expect(made.every(Number.isFinite)).toBe(true)
      expect(values.every((value, i) => value !== 0 || Object.is(made[i], 0))).toBe(true)
      expect(clusterValues(values, clusters)).toEqual(made)
      // What is shared already is shared.
      expect(clusterValues(made, clusters)).toBeUndefined()
    }
  })

  it('errs no more than equal parts of the range do, and less with more clusters', () => {
    for (let seed = 0; seed < 48; seed++) {
      const values = drawn(seed).filter((value) => value !== 0)
      const errors = [4, 16, 64].map((clusters) => {
        const made = clusterValues(values, clusters)
        if (made === undefined) return 0
        const error = squaredError(values, made)
        expect(error).toBeLessThanOrEqual(squaredError(values, binned(values, clusters)) * 1.00001)
        return error
      })
      expect(errors).toEqual([...errors].sort((a, b) => b - a))
    }
  })

  it('gives every value the nearest of those there are, in its own order', () => {
    const values = drawn(6)
    const made = clusterValues(values, 8)!
    const means = [...new Set(made)]
    values.forEach((value, i) => {
      const nearest = Math.min(...means.map((mean) => Math.abs(mean - value)))
      expect(Math.abs(made[i]! - value)).toBeLessThanOrEqual(nearest + 1e-6)
    })
  })

  it('uses all of them although outliers leave most of the range empty', () => {
    const { normal } = createRandom(3)
    const values = Float32Array.from({ length: 5000 }, (_, i) => (i === 0 ? 1000 : normal()))
    expect(new Set(clusterValues(values, 16)).size).toBe(16)
  })

  it('finds heaps where they are', () => {
    const values = Float32Array.of(1, 1.5, -4, 0, 10, -4.5, -0, 10.5)
    const made = clusterValues(values, 4)!
    expect([...made]).toEqual([1.25, 1.25, -4.25, 0, 10.25, -4.25, 0, 10.25])
  })
})

function randoms(count: number, seed: number): number[] {
  const { normal } = createRandom(seed)
  return Array.from({ length: count }, () => normal())
}

function valuesOf({ graph }: Model, name: string): number[] {
  return [...toFloat32(graph.initializers.get(name)!)]
}

function network(): Model {
  return model()
    .input('x', 'float32', [1, 4, 4, 4])
    .floats('conv_w', [8, 4, 1, 1], randoms(32, 1))
    .floats('conv_b', [8], randoms(8, 2))
    .floats('gemm_w', [128, 2], randoms(256, 3))
    .node('Conv', ['x', 'conv_w', 'conv_b'], ['c'])
    .named('conv')
    .node('Flatten', ['c'], ['f'])
    .node('Gemm', ['f', 'gemm_w'], ['y'])
    .named('gemm')
    .output('y')
    .build()
}

describe('clusterWeights', () => {
  it('clusters each weight by itself, no biases, and tells how far', () => {
    const before = network()
    const { model: after, layers, diagnostics } = clusterWeights(before, { clusters: 8 })
    checkModel(after)
    expect(new Set(valuesOf(after, 'conv_w')).size).toBe(8)
    expect(new Set([...valuesOf(after, 'conv_w'), ...valuesOf(after, 'gemm_w')]).size).toBe(16)
    expect(valuesOf(after, 'conv_b')).toEqual(valuesOf(before, 'conv_b'))
    expect(layers).toMatchObject([
      { node: 'conv', decision: 'clustered', weights: [{ name: 'conv_w', values: 8 }] },
      { node: 'gemm', decision: 'clustered', weights: [{ elements: 256, values: 8 }] },
    ])
    expect(layers[1]!.weights[0]!.relativeError).toBeGreaterThan(0.05)
    expect(layers[1]!.weights[0]!.relativeError).toBeLessThan(0.3)
    expect(diagnostics).toEqual([])
  })

  it('keeps what was pruned', () => {
    const pruned = pruneWeights(network(), { sparsity: 0.6 }).model
    const after = clusterWeights(pruned, { clusters: 4 }).model
    for (const name of ['conv_w', 'gemm_w']) {
      const isZero = (value: number) => value === 0
      expect(valuesOf(after, name).map(isZero)).toEqual(valuesOf(pruned, name).map(isZero))
      expect(new Set(valuesOf(after, name)).size).toBe(4)
    }
  })

  it('leaves weights of few values, those that are not finite, and excluded layers, and says why', () => {
    const once = clusterWeights(network(), { nodesToExclude: ['conv'] })
    expect(once.layers[0]).toMatchObject({ decision: 'kept', reason: 'excluded_by_name' })
    const twice = clusterWeights(once.model, { opTypes: ['Gemm'] })
    expect(twice.layers.map(({ reason }) => reason)).toEqual(['excluded_by_type', 'not_smaller'])
    expect(twice.diagnostics).toHaveLength(2)
    expect(twice.model.graph.initializers.get('gemm_w')).toBe(
      once.model.graph.initializers.get('gemm_w'),
    )
    const built = model()
      .input('x', 'float32', [1, 2])
      .floats('w', [2, 2], [1, NaN, 3, 4])
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const { layers } = clusterWeights(built, { clusters: 2 })
    expect(layers).toMatchObject([{ decision: 'kept', reason: 'weight_not_finite' }])
  })

  it('clusters float16 and bfloat16 weights in their own type', () => {
    for (const dataType of ['float16', 'bfloat16'] as const) {
      const values = Float32Array.from(randoms(256, 4))
      const built = model()
        .input('x', dataType, [1, 16])
        .initializer('w', tensorFromFloats(dataType, [16, 16], values))
        .node('MatMul', ['x', 'w'], ['y'])
        .output('y', dataType)
        .build()
      const { model: after } = clusterWeights(built)
      expect(after.graph.initializers.get('w')!.dataType).toBe(dataType)
      expect(new Set(valuesOf(after, 'w')).size).toBe(16)
    }
  })

  it.each([1, 257, 2.5, NaN])('refuses %d clusters', (clusters) => {
    expect(() => clusterWeights(network(), { clusters })).toThrow(
      expect.objectContaining({ code: 'pruning_options_invalid' }) as Error,
    )
  })
})
