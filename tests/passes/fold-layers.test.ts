// Folding into layers must not change what the model computes: onnxruntime judges.
import { attr, checkModel, type Diagnostic, type Model, type Pass } from '@pare/graph'
import { type AttributeSpec, model } from '@pare/graph/testing'
import {
  flattenMatMulWeight,
  foldAffine,
  foldBatchNorm,
  foldPad,
  matMulToGemm,
  normalizeGemm,
} from '@pare/passes'
import { createRandom, elementCount } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { expectSameOutputs, randomFloats } from '../support/run-model.js'

const opset = { opset: 17, irVersion: 8 }

function numbers(dims: readonly number[], seed: number): number[] {
  const { normal } = createRandom(seed)
  return Array.from({ length: elementCount(dims) }, normal)
}

const positive = (count: number, seed: number) => numbers([count], seed).map((x) => x * x + 0.1)

function opTypes({ graph }: Model): string[] {
  return graph.nodes.map(({ opType }) => opType)
}

function run(pass: Pass, before: Model): { after: Model; diagnostics: readonly Diagnostic[] } {
  checkModel(before)
  const result = pass.run(before)
  checkModel(result.model)
  return { after: result.model, diagnostics: result.diagnostics }
}

function withBatchNorm(builder: ReturnType<typeof model>, channels: number, from: string) {
  return builder
    .floats('gamma', [channels], numbers([channels], 11))
    .floats('beta', [channels], numbers([channels], 12))
    .floats('mean', [channels], numbers([channels], 13))
    .floats('var', [channels], positive(channels, 14))
    .node('BatchNormalization', [from, 'gamma', 'beta', 'mean', 'var'], ['y'], {
      epsilon: attr.float(1e-2),
    })
    .output('y')
}

describe('foldBatchNorm', () => {
  it.each([
    { name: 'Conv', opType: 'Conv', weight: [6, 3, 3, 3], group: 1, channels: 6 },
    { name: 'grouped Conv', opType: 'Conv', weight: [6, 1, 3, 3], group: 3, channels: 6 },
    { name: 'ConvTranspose', opType: 'ConvTranspose', weight: [3, 4, 2, 2], group: 1, channels: 4 },
    {
      name: 'grouped ConvTranspose',
      opType: 'ConvTranspose',
      weight: [6, 2, 2, 2],
      group: 3,
      channels: 6,
    },
  ])('folds into $name', async ({ opType, weight, group, channels }) => {
    const inputChannels = opType === 'Conv' ? weight[1]! * group : weight[0]!
    const x = randomFloats([2, inputChannels, 5, 5])
    for (const bias of [true, false]) {
      const builder = model(opset).input('x').floats('w', weight, numbers(weight, 1))
      if (bias) builder.floats('b', [channels], numbers([channels], 2))
      builder.node(opType, bias ? ['x', 'w', 'b'] : ['x', 'w'], ['c'], { group })
      const before = withBatchNorm(builder, channels, 'c').build()
      const { after } = run(foldBatchNorm(), before)
      expect(opTypes(after)).toEqual([opType])
      await expectSameOutputs(before, after, { x })
    }
  })

  it.each([0, 1])('folds into Gemm with alpha, beta and transB %i', async (transB) => {
    const dims = transB === 1 ? [4, 3] : [3, 4]
    const builder = model(opset)
      .input('x')
      .floats('w', dims, numbers(dims, 1))
      .floats('b', [1, 4], numbers([4], 2))
      .node('Gemm', ['x', 'w', 'b'], ['c'], { transB, alpha: attr.float(0.5), beta: attr.float(2) })
    const before = withBatchNorm(builder, 4, 'c').build()
    const { after } = run(foldBatchNorm(), before)
    expect(opTypes(after)).toEqual(['Gemm'])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })

  it('leaves a weight that another layer shares as it was', async () => {
    const builder = model(opset)
      .input('x')
      .floats('w', [3, 3, 1, 1], numbers([9], 1))
      .node('Conv', ['x', 'w'], ['c'])
      .node('Conv', ['x', 'w'], ['other'])
      .output('other')
    const before = withBatchNorm(builder, 3, 'c').build()
    const { after } = run(foldBatchNorm(), before)
    expect(opTypes(after)).toEqual(['Conv', 'Conv'])
    expect(after.graph.initializers.get('w')).toBe(before.graph.initializers.get('w'))
    await expectSameOutputs(before, after, { x: randomFloats([1, 3, 2, 2]) })
  })

  it('says why it left a BatchNormalization alone', () => {
    const conv = () =>
      model(opset)
        .input('x')
        .floats('w', [3, 3, 1, 1], numbers([9], 1))
        .node('Conv', ['x', 'w'], ['c'])
    const codes = (before: Model) =>
      run(foldBatchNorm(), before).diagnostics.map(({ code }) => code)
    expect(codes(withBatchNorm(conv().output('c'), 3, 'c').build())).toEqual([
      'layer_output_shared',
    ])
    expect(
      codes(withBatchNorm(conv().node('Relu', ['c'], ['r']).output('r'), 3, 'c').build()),
    ).toEqual(['layer_output_shared'])
    const computed = model(opset)
      .input('x')
      .input('w', 'float32', [3, 3, 1, 1])
      .node('Conv', ['x', 'w'], ['c'])
    expect(codes(withBatchNorm(computed, 3, 'c').build())).toEqual(['weight_not_constant'])
    const alone = model(opset).input('x')
    expect(codes(withBatchNorm(alone, 3, 'x').build())).toEqual(['no_layer_before'])
  })
})

describe('foldAffine', () => {
  it.each([
    ['Mul', [3, 1, 1], false],
    ['Mul', [1, 3, 1, 1], true],
    ['Mul', [], false],
    ['Add', [3, 1, 1], false],
    ['Add', [1], true],
    ['Sub', [3, 1, 1], false],
    ['Sub', [3, 1, 1], true],
    ['Div', [3, 1, 1], false],
  ] as const)(
    'folds %s by a constant of shape %j, constant first: %s',
    async (opType, dims, first) => {
      const before = model(opset)
        .input('x')
        .floats('w', [3, 2, 2, 2], numbers([24], 1))
        .floats('b', [3], numbers([3], 2))
        .floats('c', dims, numbers(dims, 3))
        .node('Conv', ['x', 'w', 'b'], ['v'])
        .node(opType, first ? ['c', 'v'] : ['v', 'c'], ['y'])
        .output('y')
        .build()
      const { after } = run(foldAffine(), before)
      expect(opTypes(after)).toEqual(['Conv'])
      await expectSameOutputs(before, after, { x: randomFloats([2, 2, 4, 4]) })
    },
  )

  it.each([
    ['Div', [3, 1, 1], true],
    ['Mul', [3], false],
    ['Add', [1, 3, 3], false],
    ['Add', [2, 1, 1, 1, 1], false],
  ] as const)('leaves %s by a constant of shape %j alone', (opType, dims, first) => {
    const before = model(opset)
      .input('x')
      .floats('w', [3, 2, 2, 2], numbers([24], 1))
      .floats('c', dims, numbers(dims, 3))
      .node('Conv', ['x', 'w'], ['v'])
      .node(opType, first ? ['c', 'v'] : ['v', 'c'], ['y'])
      .output('y')
      .build()
    expect(opTypes(run(foldAffine(), before).after)).toEqual(['Conv', opType])
  })
})

describe('foldPad', () => {
  const pads = [0, 0, 1, 2, 0, 0, 0, 1]

  function padded(reader: string, attributes: Readonly<Record<string, AttributeSpec>>) {
    return model(opset)
      .input('x')
      .initializer('pads', {
        dataType: 'int64',
        dims: [8],
        data: { kind: 'bytes', bytes: new Uint8Array(BigInt64Array.from(pads, BigInt).buffer) },
      })
      .floats('w', [3, 2, 2, 2], numbers([24], 1))
      .node('Pad', ['x', 'pads'], ['p'])
      .node(reader, reader === 'Conv' ? ['p', 'w'] : ['p'], ['y'], attributes)
      .output('y')
      .build()
  }

  it.each([
    ['Conv', {}],
    ['Conv', { pads: [1, 0, 1, 0], strides: [2, 1] }],
    ['AveragePool', { kernel_shape: [3, 3] }],
    ['AveragePool', { kernel_shape: [3, 3], pads: [1, 0, 0, 1], count_include_pad: 1 }],
  ] as const)('moves the pads into %s %j', async (reader, attributes) => {
    const before = padded(reader, attributes)
    const { after } = run(foldPad(), before)
    expect(opTypes(after)).toEqual([reader])
    await expectSameOutputs(before, after, { x: randomFloats([1, 2, 5, 5]) })
  })

  it.each([
    ['AveragePool', { kernel_shape: [2, 2] }],
    ['AveragePool', { kernel_shape: [3, 3], pads: [1, 0, 0, 1] }],
    ['AveragePool', { kernel_shape: [3, 3], ceil_mode: 1 }],
    ['MaxPool', { kernel_shape: [2, 2] }],
  ] as const)('leaves the Pad before %s %j', (reader, attributes) => {
    const before = padded(reader, attributes)
    expect(opTypes(run(foldPad(), before).after)).toEqual(['Pad', reader])
  })
})

describe('Gemm and MatMul', () => {
  const gemm = (attributes: Record<string, ReturnType<typeof attr.float> | number>, c = true) =>
    model(opset)
      .input('x', 'float32', ['n', 3])
      .floats('w', attributes['transB'] === 1 ? [4, 3] : [3, 4], numbers([12], 1))
      .floats('c', [4], numbers([4], 2))
      .node('Gemm', c ? ['x', 'w', 'c'] : ['x', 'w'], ['y'], attributes)
      .output('y')
      .build()

  it.each([
    { alpha: attr.float(2), beta: attr.float(0.5) },
    { alpha: attr.float(-1.5), transB: 1 },
    { beta: attr.float(0) },
  ])('normalizeGemm moves %j into the constants', async (attributes) => {
    const before = gemm(attributes)
    const { after } = run(normalizeGemm(), before)
    const [node] = after.graph.nodes
    expect([node?.attributes.has('alpha'), node?.attributes.has('beta')]).toEqual([false, false])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })

  it('normalizeGemm transposes the input before a constant', async () => {
    const before = model(opset)
      .input('x')
      .floats('w', [5, 4], numbers([5, 4], 1))
      .node('Gemm', ['x', 'w'], ['y'], { transA: 1, alpha: attr.float(0.5) })
      .output('y')
      .build()
    const { after } = run(normalizeGemm(), before)
    expect(opTypes(after)).toEqual(['Transpose', 'Gemm'])
    await expectSameOutputs(before, after, { x: randomFloats([5, 3]) })
  })

  it.each([[], [1], [1, 1]])('normalizeGemm writes a bias of shape [%s] out', async (...bias) => {
    const before = model(opset)
      .input('x', 'float32', ['n', 3])
      .floats('w', [4, 3], numbers([12], 1))
      .floats('c', bias, [0.7])
      .node('Gemm', ['x', 'w', 'c'], ['y'], { transB: 1, beta: attr.float(2) })
      .output('y')
      .build()
    const { after } = run(normalizeGemm(), before)
    const written = after.graph.initializers.get(after.graph.nodes[0]?.inputs[2] ?? '')
    expect(written?.dims).toEqual([4])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })

  it('flattenMatMulWeight takes leading 1s off a weight that products alone read', async () => {
    const products = (shape: readonly (number | string)[]) =>
      model(opset)
        .input('x', 'float32', shape)
        .floats('w', [1, 3, 3], numbers([9], 1))
        .node('MatMul', ['x', 'w'], ['p'])
        .node('MatMul', ['p', 'w'], ['y'])
        .output('y')
    const before = products(['b', 'n', 3]).build()
    const shapes = new Map([['p', { dataType: 'float32', dims: [2, 4, 3] }]] as const)
    const { after } = run(flattenMatMulWeight({ shapes }), before)
    const [first, second] = after.graph.nodes
    expect(after.graph.initializers.get(first?.inputs[1] ?? '')?.dims).toEqual([3, 3])
    expect(second?.inputs[1]).toBe(first?.inputs[1])
    await expectSameOutputs(before, after, { x: randomFloats([2, 4, 3]) })

    const lendsRank = products(['n', 3]).build()
    const isRead = products(['b', 'n', 3]).node('Neg', ['w'], ['z']).output('z').build()
    const isOutput = products(['b', 'n', 3]).output('w').build()
    for (const other of [lendsRank, isRead, isOutput]) {
      expect(run(flattenMatMulWeight({ shapes }), other).after.graph.nodes).toEqual(
        other.graph.nodes,
      )
    }
  })

  it('matMulToGemm joins a product of matrices with its bias', async () => {
    const product = (shape: (number | string)[], bias: number[]) =>
      model(opset)
        .input('x', 'float32', shape)
        .floats('w', [3, 4], numbers([12], 1))
        .floats('c', bias, numbers(bias, 2))
        .node('MatMul', ['x', 'w'], ['p'])
        .node('Add', ['c', 'p'], ['y'])
        .output('y')
        .build()
    const before = product(['n', 3], [4])
    const { after } = run(matMulToGemm(), before)
    expect(opTypes(after)).toEqual(['Gemm'])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
    expect(opTypes(run(matMulToGemm(), product(['b', 'n', 3], [4])).after)).toEqual([
      'MatMul',
      'Add',
    ])
    expect(opTypes(run(matMulToGemm(), product(['n', 3], [2, 4])).after)).toEqual(['MatMul', 'Add'])
  })

  it('matMulToGemm prepares a product without a bias for the BatchNormalization after it', async () => {
    const builder = model(opset)
      .input('x', 'float32', ['n', 3])
      .floats('w', [3, 4], numbers([12], 1))
      .node('MatMul', ['x', 'w'], ['p'])
    const before = withBatchNorm(builder, 4, 'p').build()
    const gemm = run(matMulToGemm(), before).after
    expect(opTypes(gemm)).toEqual(['Gemm', 'BatchNormalization'])
    const { after } = run(foldBatchNorm(), gemm)
    expect(opTypes(after)).toEqual(['Gemm'])
    await expectSameOutputs(before, after, { x: randomFloats([2, 3]) })
  })
})
