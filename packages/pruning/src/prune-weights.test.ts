import { checkModel, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { createRandom, type Tensor, tensorFromFloats, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import type { PruneWeightsOptions } from './options.js'
import { pruneWeights } from './prune-weights.js'

function valuesOf({ graph }: Model, name: string): number[] {
  return [...toFloat32(graph.initializers.get(name)!)]
}

function zeros(values: readonly number[]): number {
  return values.filter((value) => value === 0).length
}

function randoms(count: number, seed: number, scale = 1): number[] {
  const { normal } = createRandom(seed)
  return Array.from({ length: count }, () => normal() * scale)
}

/** A convolution with small weights, and a Gemm with large ones. */
function network(): Model {
  return model()
    .input('x', 'float32', [1, 4, 4, 4])
    .floats('conv_w', [8, 4, 1, 1], randoms(32, 1, 0.1))
    .floats('conv_b', [8], randoms(8, 2, 0.001))
    .floats('gemm_w', [128, 2], randoms(256, 3, 1))
    .node('Conv', ['x', 'conv_w', 'conv_b'], ['c'])
    .named('conv')
    .node('Flatten', ['c'], ['f'])
    .node('Gemm', ['f', 'gemm_w'], ['y'])
    .named('gemm')
    .output('y')
    .build()
}

/** One MatMul of a weight. */
function matMul(dims: readonly number[], values: readonly number[]): Model {
  return model()
    .input('x', 'float32', [1, dims.at(-2)!])
    .floats('w', dims, values)
    .node('MatMul', ['x', 'w'], ['y'])
    .output('y')
    .build()
}

function prunedMatMul(
  dims: readonly number[],
  values: readonly number[],
  options: PruneWeightsOptions,
): number[] {
  return valuesOf(pruneWeights(matMul(dims, values), options).model, 'w')
}

describe('pruneWeights by sparsity', () => {
  it('makes exactly the share of all weights zero, the smallest of all layers, and no biases', () => {
    const before = network()
    const options = { sparsity: 0.3, scope: 'global' } as const
    const { model: after, total, layers } = pruneWeights(before, options)
    checkModel(after)
    const [conv, gemm] = [valuesOf(after, 'conv_w'), valuesOf(after, 'gemm_w')]
    expect(zeros(conv) + zeros(gemm)).toBe(Math.round(0.3 * 288))
    // The weights of the convolution are smaller: one threshold takes more of them.
    expect(zeros(conv) / 32).toBeGreaterThan(zeros(gemm) / 256)
    const all = [...valuesOf(before, 'conv_w'), ...valuesOf(before, 'gemm_w')]
    const threshold = all.map(Math.abs).sort((a, b) => a - b)[86]!
    expect([...conv, ...gemm]).toEqual(
      all.map((value) => (Math.abs(value) < threshold ? 0 : value)),
    )
    expect(valuesOf(after, 'conv_b')).toEqual(valuesOf(before, 'conv_b'))
    expect(total).toEqual({ elements: 288, zerosBefore: 0, zerosAfter: 86, sparsity: 86 / 288 })
    expect(layers).toEqual([
      {
        ...{ node: 'conv', opType: 'Conv', output: 'c', decision: 'pruned' },
        weights: [
          {
            ...{ name: 'conv_w', elements: 32, zerosBefore: 0, zerosAfter: zeros(conv) },
            sparsity: zeros(conv) / 32,
          },
        ],
      },
      expect.objectContaining({ node: 'gemm', decision: 'pruned' }),
    ])
  })

  it('by default takes the smallest of each layer, as many as cost it least, whatever its scale', () => {
    const before = network()
    const { model: after, total } = pruneWeights(before, { sparsity: 0.3 })
    expect(total.zerosAfter).toBe(86)
    for (const name of ['conv_w', 'gemm_w']) {
      const [was, is] = [valuesOf(before, name), valuesOf(after, name)]
      const fallen = was.filter((_, i) => is[i] === 0).map(Math.abs)
      const kept = is.filter((value) => value !== 0).map(Math.abs)
      expect(Math.max(...fallen)).toBeLessThan(Math.min(...kept))
    }
    const graph = before.graph
    const larger = toFloat32(graph.initializers.get('conv_w')!).map((value) => value * 64)
    const initializers = new Map(graph.initializers)
    initializers.set('conv_w', tensorFromFloats('float32', [8, 4, 1, 1], larger))
    const scaled = pruneWeights({ ...before, graph: { ...graph, initializers } }, { sparsity: 0.3 })
    expect(zeros(valuesOf(scaled.model, 'conv_w'))).toBe(zeros(valuesOf(after, 'conv_w')))
  })

  it('takes the same share of each layer by request', () => {
    const { model: after } = pruneWeights(network(), { sparsity: 0.3, scope: 'layer' })
    expect(zeros(valuesOf(after, 'conv_w'))).toBe(10)
    expect(zeros(valuesOf(after, 'gemm_w'))).toBe(77)
  })

  it('half by default, and leaves the model that it was given alone', () => {
    const before = network()
    const copy = valuesOf(before, 'gemm_w')
    expect(pruneWeights(before).total.sparsity).toBe(0.5)
    expect(valuesOf(before, 'gemm_w')).toEqual(copy)
  })

  it('counts weights that are 0 already, so that a second time changes nothing', () => {
    const once = pruneWeights(network(), { sparsity: 0.6 })
    const twice = pruneWeights(once.model, { sparsity: 0.6 })
    expect(twice.total).toMatchObject({ zerosBefore: 173, zerosAfter: 173 })
    expect(twice.layers).toMatchObject([
      { decision: 'kept', reason: 'no_small_weights', message: 'its zeros are enough already' },
      { decision: 'kept' },
    ])
    for (const [name, tensor] of twice.model.graph.initializers) {
      expect(tensor).toBe(once.model.graph.initializers.get(name))
    }
    expect(pruneWeights(once.model, { sparsity: 0.7 }).total.zerosAfter).toBe(202)
  })

  it('lets the first of equal magnitudes fall', () => {
    const values = [1, -1, 1, -1, 2, 1]
    expect(prunedMatMul([3, 2], values, { sparsity: 0.5 })).toEqual([0, 0, 0, -1, 2, 1])
  })

  it('keeps NaN and infinities, and says so', () => {
    const built = matMul([2, 3], [NaN, 1, Infinity, -0, 2, 3])
    const { model: after, diagnostics, total } = pruneWeights(built, { sparsity: 0.9 })
    expect(valuesOf(after, 'w')).toEqual([NaN, 0, Infinity, 0, 0, 0])
    expect(total.zerosBefore).toBe(1)
    expect(diagnostics).toMatchObject([{ code: 'weight_not_finite', severity: 'warning' }])
  })

  it('warns of a layer that passes nothing on any more', () => {
    const { diagnostics } = pruneWeights(network(), { threshold: 0.7 })
    expect(diagnostics).toMatchObject([{ code: 'layer_emptied', node: 'conv' }])
  })

  it('prunes float16 and bfloat16 weights in their own type', () => {
    for (const dataType of ['float16', 'bfloat16'] as const) {
      const built = model()
        .input('x', dataType, [1, 2])
        .initializer('w', tensorFromFloats(dataType, [2, 2], Float32Array.of(0.25, -0.125, 3, -2)))
        .node('MatMul', ['x', 'w'], ['y'])
        .output('y', dataType)
        .build()
      const { model: after } = pruneWeights(built)
      expect(after.graph.initializers.get('w')!.dataType).toBe(dataType)
      expect(valuesOf(after, 'w')).toEqual([0, 0, 3, -2])
    }
  })
})

describe('pruneWeights by threshold', () => {
  it('takes what lies below, wherever', () => {
    const values = [0.5, -0.4, 0.39999, 2, 0, -0.1]
    const pruned = prunedMatMul([2, 3], values, { threshold: Math.fround(0.4) })
    expect(pruned).toEqual([0.5, -0.4, 0, 2, 0, 0].map(Math.fround))
  })

  it('says where nothing falls', () => {
    const { layers } = pruneWeights(matMul([1, 2], [1, 2]), { threshold: 0.5 })
    expect(layers).toMatchObject([{ decision: 'kept', reason: 'no_small_weights' }])
  })
})

describe('pruneWeights by pattern', () => {
  it('keeps 2 of 4 along the summed axis: the first of MatMul [K, N]', () => {
    // Two columns, each of which is summed over.
    const pruned = prunedMatMul([4, 2], [1, 5, -3, 6, 2, -7, -4, 8], { pattern: '2:4' })
    expect(pruned).toEqual([0, 0, -3, 0, 0, -7, -4, 8])
  })

  it('along the last axis of Gemm with transB, and a rest shorter than 4 keeps 2 as well', () => {
    const built = model()
      .input('x', 'float32', [1, 7])
      .floats('w', [1, 7], [1, 2, 3, 4, 7, 6, 5])
      .node('Gemm', ['x', 'w'], ['y'], { transB: 1 })
      .output('y')
      .build()
    const { model: after } = pruneWeights(built, { pattern: '2:4' })
    expect(valuesOf(after, 'w')).toEqual([0, 0, 3, 4, 7, 6, 0])
  })

  it('along the input channels of Conv at each place of the kernel', () => {
    const built = model()
      .input('x', 'float32', [1, 4, 2, 2])
      .floats('w', [1, 4, 1, 2], [1, 8, 2, 7, 3, 6, 4, 5])
      .node('Conv', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const { model: after } = pruneWeights(built, { pattern: '1:2' })
    expect(valuesOf(after, 'w')).toEqual([0, 8, 2, 0, 0, 6, 4, 0])
  })

  it('within the groups of ConvTranspose, whose channels are summed apart', () => {
    const built = model()
      .input('x', 'float32', [1, 6, 2, 2])
      .floats('w', [6, 1, 1, 1], [1, 2, 3, 6, 5, 4])
      .node('ConvTranspose', ['x', 'w'], ['y'], { group: 2 })
      .output('y')
      .build()
    const { model: after } = pruneWeights(built, { pattern: '1:2' })
    // Runs of 3: pairs 1 2 and 6 5, rests 3 and 4.
    expect(valuesOf(after, 'w')).toEqual([0, 2, 3, 6, 0, 4])
  })

  it('leaves a depthwise convolution, which sums over one channel', () => {
    const built = model()
      .input('x', 'float32', [1, 2, 2, 2])
      .floats('w', [2, 1, 1, 1], [1, 2])
      .node('Conv', ['x', 'w'], ['y'], { group: 2 })
      .output('y')
      .build()
    const { layers } = pruneWeights(built, { pattern: '2:4' })
    expect(layers).toMatchObject([{ decision: 'kept', reason: 'no_small_weights' }])
  })

  it('keeps the greatest of every group, and NaN', () => {
    const size = 16
    const values = randoms(size * 3, 9)
    values[5] = NaN
    const pruned = prunedMatMul([size, 3], values, { pattern: '4:8' })
    for (let column = 0; column < 3; column++) {
      for (let group = 0; group < size; group += 8) {
        const at = Array.from({ length: 8 }, (_, k) => (group + k) * 3 + column)
        const magnitude = (i: number) => (Number.isNaN(values[i]) ? Infinity : Math.abs(values[i]!))
        const kept = [...at].sort((a, b) => magnitude(b) - magnitude(a)).slice(0, 4)
        expect(at.filter((i) => pruned[i] !== 0)).toEqual(kept.sort((a, b) => a - b))
      }
    }
  })
})

describe('which weights pruneWeights considers', () => {
  it('a weight that several layers read counts once', () => {
    const built = model()
      .input('x', 'float32', [1, 2])
      .floats('w', [2, 2], [1, 2, 3, 4])
      .node('MatMul', ['x', 'w'], ['h'])
      .node('MatMul', ['h', 'w'], ['y'])
      .output('y')
      .build()
    const { total, layers, model: after } = pruneWeights(built)
    expect(total.elements).toBe(4)
    expect(layers.map(({ decision }) => decision)).toEqual(['pruned', 'pruned'])
    expect(valuesOf(after, 'w')).toEqual([0, 0, 3, 4])
    expect(after.graph.initializers.size).toBe(1)
  })

  it('a weight that something else reads too stays, and the reader is named', () => {
    const built = model()
      .input('ids', 'int64', [2])
      .floats('table', [3, 2], [1, 2, 3, 4, 5, 6])
      .floats('w', [2, 2], [1, 2, 3, 4])
      .node('Gather', ['table', 'ids'], ['g'])
      .named('embedding')
      .node('MatMul', ['g', 'w'], ['h'])
      .node('Gemm', ['h', 'table'], ['y'], { transB: 1 })
      .output('y')
      .build()
    const { layers, diagnostics, model: after } = pruneWeights(built)
    expect(layers).toMatchObject([
      { opType: 'MatMul', decision: 'pruned' },
      { opType: 'Gemm', decision: 'kept', reason: 'weight_shared', weights: [] },
    ])
    expect(diagnostics[0]!.message).toContain('Gather embedding reads its weight too')
    expect(valuesOf(after, 'table')).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('a weight that is an output, overridable, computed or of integers stays', () => {
    const built = model()
      .input('x', 'float32', [1, 2])
      .input('n', 'int32', [1, 2])
      .input('default', 'float32', [2, 2])
      .floats('default', [2, 2], [1, 2, 3, 4])
      .floats('shown', [2, 2], [1, 2, 3, 4])
      .floats('w', [2, 2], [1, 2, 3, 4])
      .initializer('whole', {
        ...{ dataType: 'int32', dims: [2, 1] },
        data: { kind: 'bytes', bytes: new Uint8Array(8) },
      })
      .node('Gemm', ['x', 'default'], ['a'])
      .node('MatMul', ['a', 'shown'], ['b'])
      .node('MatMul', ['n', 'whole'], ['integers'])
      .node('MatMul', ['a', 'b'], ['two_activations'])
      .node('MatMul', ['b', 'w'], ['y'])
      .output('y')
      .output('shown')
      .build()
    const reasons = pruneWeights(built).layers.map(({ reason, decision }) => reason ?? decision)
    const expected = ['weight_not_constant', 'weight_shared', 'weight_not_float', 'pruned']
    expect(reasons).toEqual(expected)
  })

  it('layers excluded by name or type stay', () => {
    const byName = pruneWeights(network(), { nodesToExclude: ['conv'] })
    expect(byName.layers[0]).toMatchObject({ decision: 'kept', reason: 'excluded_by_name' })
    expect(byName.total).toMatchObject({ elements: 256, sparsity: 0.5 })
    const byOutput = pruneWeights(network(), { nodesToExclude: ['y'] })
    expect(byOutput.layers[1]).toMatchObject({ decision: 'pruned' })
    const byType = pruneWeights(network(), { opTypes: ['Gemm'] })
    expect(byType.layers[0]).toMatchObject({ decision: 'kept', reason: 'excluded_by_type' })
  })

  it('LSTM by request alone, W and R', () => {
    const built = model()
      .input('x', 'float32', [3, 1, 2])
      .floats('W', [1, 8, 2], randoms(16, 4))
      .floats('R', [1, 8, 2], randoms(16, 5, 0.01))
      .node('LSTM', ['x', 'W', 'R'], ['y'], { hidden_size: 2 })
      .output('y')
      .build()
    expect(() => pruneWeights(built)).toThrow(/op_types/)
    const { layers, model: after } = pruneWeights(built, { opTypes: ['LSTM'], scope: 'layer' })
    expect(layers[0]!.weights.map(({ name, sparsity }) => [name, sparsity])).toEqual([
      ['W', 0.5],
      ['R', 0.5],
    ])
    expect(zeros(valuesOf(after, 'R'))).toBe(8)
  })

  it('the constant of a MatMul on the left, and Constant nodes', () => {
    const built = model()
      .input('x', 'float32', [4, 1])
      .node('Constant', [], ['w'], {
        value: tensorFromFloats('float32', [1, 4], Float32Array.of(1, 2, 3, 4)),
      })
      .node('MatMul', ['w', 'x'], ['y'])
      .output('y')
      .build()
    const { model: after } = pruneWeights(built, { pattern: '1:4' })
    const value = after.graph.nodes[0]!.attributes.get('value')
    if (value?.type !== 'tensor') throw new Error('the constant has gone')
    expect([...toFloat32(value.value)]).toEqual([0, 0, 0, 4])
  })

  it('weights in bodies, where names of their own hide those outside', () => {
    const body = (weight: readonly number[]) =>
      model()
        .floats('w', [2, 2], weight)
        .node('MatMul', ['x', 'w'], ['inner'])
        .node('MatMul', ['inner', 'outer_w'], ['out'])
        .output('out')
        .graph()
    const built = model()
      .input('x', 'float32', [1, 2])
      .input('flag', 'bool', [])
      .floats('w', [2, 2], [9, 9, 9, 9])
      .floats('outer_w', [2, 2], [0.1, 0.2, 0.3, 0.4])
      .node('If', ['flag'], ['h'], {
        then_branch: body([1, 2, 3, 4]),
        else_branch: body([5, 6, 7, 8]),
      })
      .node('MatMul', ['h', 'w'], ['y'])
      .output('y')
      .build()
    const options = { sparsity: 0.5, scope: 'global' } as const
    const { model: after, total, layers } = pruneWeights(built, options)
    checkModel(after)
    expect(total.elements).toBe(16)
    expect(layers).toHaveLength(5)
    expect(valuesOf(after, 'outer_w')).toEqual([0, 0, 0, 0])
    expect(valuesOf(after, 'w')).toEqual([9, 9, 9, 9])
    const branch = after.graph.nodes[0]!.attributes.get('then_branch')
    if (branch?.type !== 'graph') throw new Error('the branch has gone')
    expect([...toFloat32(branch.value.initializers.get('w')!)]).toEqual([0, 0, 0, 0])
  })

  it('a pattern lies along one axis: readers that sum over different ones keep the weight', () => {
    const built = model()
      .input('x', 'float32', [1, 4])
      .floats('w', [4, 4], randoms(16, 6))
      .node('MatMul', ['x', 'w'], ['h'])
      .node('Gemm', ['h', 'w'], ['y'], { transB: 1 })
      .output('y')
      .build()
    expect(pruneWeights(built).total.sparsity).toBe(0.5)
    expect(() => pruneWeights(built, { pattern: '2:4' })).toThrow(/different axes/)
  })
})

describe('the options of pruneWeights', () => {
  it('reads external weights where they lie', () => {
    const built = matMul([2, 2], [1, 2, 3, 4])
    const bytes = new Uint8Array(Float32Array.of(4, 3, 2, 1).buffer)
    let reads = 0
    const read = (start: number, end: number) => {
      reads++
      return bytes.slice(start, end)
    }
    const external: Tensor = {
      ...{ dataType: 'float32', dims: [2, 2] },
      data: { kind: 'external', location: 'weights', offset: 0, length: 16, read },
    }
    const graph = { ...built.graph, initializers: new Map([['w', external]]) }
    const { model: after } = pruneWeights({ ...built, graph })
    expect(valuesOf(after, 'w')).toEqual([4, 3, 0, 0])
    expect(reads).toBeLessThanOrEqual(4)
  })

  it.each([
    [{ sparsity: 1 }],
    [{ sparsity: -0.1 }],
    [{ sparsity: NaN }],
    [{ threshold: -1 }],
    [{ threshold: Infinity }],
    [{ sparsity: 0.5, threshold: 0.1 }],
    [{ pattern: '4:4' }],
    [{ pattern: '0:4' }],
    [{ pattern: '2:4:8' }],
    [{ pattern: '2:4', sparsity: 0.5 }],
    [{ opTypes: ['Relu'] }],
  ])('refuses %j', (options) => {
    expect(() => pruneWeights(network(), options)).toThrow(
      expect.objectContaining({ code: 'pruning_options_invalid' }) as Error,
    )
  })

  it('refuses a model without weights', () => {
    const built = model().input('x').node('Relu', ['x'], ['y']).output('y').build()
    expect(() => pruneWeights(built)).toThrow(
      expect.objectContaining({ code: 'pruning_not_applicable' }) as Error,
    )
  })
})
