import { attr, type Model } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { describe, expect, it } from 'vitest'

import { type QuantizeStaticOptions, resolveStaticOptions } from '../static/options.js'
import { randomValues } from '../testing.js'
import { planPlacement } from './placement.js'
import { placementPolicy, type RangeOf } from './placement-policy.js'

function conv(
  builder: ModelBuilder,
  input: string,
  output: string,
  channels = [8, 8],
): ModelBuilder {
  const [outputs, inputs] = channels as [number, number]
  const weight = `${output}.w`
  return builder
    .floats(weight, [outputs, inputs, 3, 3], randomValues(outputs * inputs * 9, 1))
    .node('Conv', [input, weight], [output], { pads: [1, 1, 1, 1] })
}

function linear(builder: ModelBuilder, input: string, output: string): ModelBuilder {
  return builder
    .floats(`${output}.w`, [8, 8], randomValues(64, 1))
    .node('Gemm', [input, `${output}.w`], [output])
}

function start(): ModelBuilder {
  return model({ opset: 17 }).input('x', 'float32', ['n', 8, 6, 6])
}

interface Plan {
  readonly integer: readonly string[]
  readonly quantized: readonly string[]
  readonly reasons: Readonly<Record<string, string>>
}

/** Every value has a range, of which nothing more is known. */
const everyRange: RangeOf = () => ({ min: 0, max: 0 })

/** By output names, in graph order. */
function plan(built: Model, options: QuantizeStaticOptions = {}, rangeOf = everyRange): Plan {
  const policy = placementPolicy(built, resolveStaticOptions(options), rangeOf)
  const placement = planPlacement(built, policy)
  return {
    integer: built.graph.nodes
      .filter((node) => placement.layers.has(node) || placement.joins.has(node))
      .map(({ outputs }) => outputs[0]!),
    quantized: [...placement.owners.keys()],
    reasons: Object.fromEntries(
      [...placement.floats].map(([node, { reason }]) => [node.outputs[0]!, reason]),
    ),
  }
}

describe('planPlacement', () => {
  it('chains convolutions and folds the Relu between them', () => {
    const builder = conv(start(), 'x', 'a').node('Relu', ['a'], ['r'])
    expect(plan(conv(builder, 'r', 'b').output('b').build())).toEqual({
      integer: ['a', 'b'],
      quantized: ['x', 'r', 'b'],
      reasons: {},
    })
  })

  it('keeps the Relu where activations are symmetric, since they do not cut at 0', () => {
    const builder = conv(start(), 'x', 'a').node('Relu', ['a'], ['r'])
    const { quantized } = plan(conv(builder, 'r', 'b').output('b').build(), {
      activationType: 'int8',
      symmetric: true,
    })
    expect(quantized).toEqual(['x', 'a', 'r', 'b'])
  })

  it('does not fold a Clip whose bounds exclude 0', () => {
    const builder = conv(start(), 'x', 'a').floats('one', [], [1]).floats('six', [], [6])
    builder.node('Clip', ['a', 'one', 'six'], ['c'])
    expect(plan(conv(builder, 'c', 'b').output('b').build()).quantized).toEqual([
      'x',
      'a',
      'c',
      'b',
    ])
  })

  it('takes a residual Add along between integer layers', () => {
    const builder = conv(conv(start(), 'x', 'a'), 'a', 'b').node('Add', ['a', 'b'], ['s'])
    builder.node('Relu', ['s'], ['r'])
    const { integer } = plan(conv(builder, 'r', 'c').output('c').build())
    expect(integer).toEqual(['a', 'b', 's', 'c'])
  })

  it('leaves an Add float that one input reaches in float', () => {
    const builder = conv(start(), 'x', 'a')
      .node('Tanh', ['a'], ['t'])
      .node('Add', ['a', 't'], ['s'])
    const { integer, reasons } = plan(conv(builder, 's', 'b').output('b').build())
    expect(integer).toEqual(['a', 'b'])
    expect(reasons).toEqual({ s: 'input_float' })
  })

  it('leaves a join float that nobody reads in integers', () => {
    const builder = conv(conv(start(), 'x', 'a'), 'a', 'b').node('Add', ['a', 'b'], ['s'])
    const { integer, reasons } = plan(builder.node('Tanh', ['s'], ['y']).output('y').build())
    expect(integer).toEqual(['a', 'b'])
    expect(reasons).toEqual({ s: 'output_float' })
  })

  it('passes 8 bits through MaxPool and Flatten with the parameters of their source', () => {
    const builder = conv(start(), 'x', 'a')
      .node('MaxPool', ['a'], ['p'], { kernel_shape: [6, 6] })
      .node('Flatten', ['p'], ['f'])
    const built = linear(builder, 'f', 'y').output('y').build()
    const placement = planPlacement(
      built,
      placementPolicy(built, resolveStaticOptions({}), everyRange),
    )
    expect(Object.fromEntries(placement.owners)).toEqual({ x: 'x', a: 'a', p: 'a', f: 'a' })
    expect([...placement.passes].map(({ opType }) => opType)).toEqual(['MaxPool', 'Flatten'])
  })

  it('quantizes every output of a Split through which integers pass', () => {
    const builder = conv(start(), 'x', 'a').node('Split', ['a'], ['l', 'r'], { axis: 3 })
    conv(builder, 'l', 'b').node('Tanh', ['r'], ['t']).output('b').output('t')
    expect(plan(builder.build()).quantized).toEqual(['x', 'a', 'l', 'r', 'b'])
  })

  it('leaves the output of Gemm float unless all its readers are integer', () => {
    const first = linear(model({ opset: 17 }).input('x', 'float32', ['n', 8]), 'x', 'a')
    expect(plan(linear(first, 'a', 'b').output('b').build()).quantized).toEqual(['x', 'a'])
    const shared = linear(model({ opset: 17 }).input('x', 'float32', ['n', 8]), 'x', 'a')
    linear(shared, 'a', 'b').node('Tanh', ['a'], ['t']).output('b').output('t')
    // `a` is converted for the second Gemm, but the first writes it in float.
    expect(plan(shared.build())).toMatchObject({ integer: ['a', 'b'], quantized: ['x', 'a'] })
  })

  it('leaves a small convolution between float neighbours alone', () => {
    const builder = start()
      .floats('w', [8, 8, 1, 1], randomValues(64, 1))
      .node('Tanh', ['x'], ['t'])
      .node('Conv', ['t', 'w'], ['y'])
      .output('y')
    expect(plan(builder.build())).toEqual({
      integer: [],
      quantized: [],
      reasons: { y: 'not_worth_converting' },
    })
  })

  it.each([
    [1, 3, 'float'],
    [3, 3, 'float'],
    [3, 7, 'integer'],
    [4, 3, 'integer'],
  ] as const)(
    'keeps a first convolution of %d channels and width %d %s',
    (channels, size, decision) => {
      const builder = model({ opset: 17 })
        .input('x', 'float32', ['n', channels, 9, 9])
        .floats('w', [8, channels, size, size], randomValues(8 * channels * size ** 2, 1))
        .node('Conv', ['x', 'w'], ['a'])
        .node('Relu', ['a'], ['r'])
      const { integer, quantized } = plan(conv(builder, 'r', 'b').output('b').build())
      expect(integer).toEqual(decision === 'float' ? ['b'] : ['a', 'b'])
      expect(quantized).toEqual(decision === 'float' ? ['r', 'b'] : ['x', 'r', 'b'])
    },
  )

  it('does not join ranges that differ more than eight times', () => {
    const builder = conv(conv(start(), 'x', 'a'), 'x', 'b').node('Concat', ['a', 'b'], ['c'], {
      axis: attr.int(1),
    })
    const built = conv(builder, 'c', 'd', [8, 16]).output('d').build()
    const ranges = (wide: number): RangeOf => {
      return (value) => ({ min: 0, max: value === 'b' ? wide : 1 })
    }
    expect(plan(built, {}, ranges(8)).integer).toEqual(['a', 'b', 'c', 'd'])
    expect(plan(built, {}, ranges(9)).reasons).toEqual({ c: 'ranges_too_different' })
  })

  it('leaves out what the caller names, and says why', () => {
    const built = conv(conv(start(), 'x', 'a').named('first'), 'a', 'b')
      .output('b')
      .build()
    expect(plan(built, { nodesToExclude: ['first'] }).reasons).toEqual({ a: 'excluded_by_name' })
    expect(plan(built, { nodesToQuantize: ['first'] }).reasons).toEqual({ b: 'excluded_by_name' })
    expect(plan(built, { opTypesToQuantize: ['MatMul'] }).reasons).toEqual({
      a: 'excluded_by_type',
      b: 'excluded_by_type',
    })
  })

  it('says which layers cannot be quantized', () => {
    const built = start()
      .input('w', 'float32', [8, 8, 3, 3])
      .node('Conv', ['x', 'w'], ['a'])
      .node('Reshape', ['a', 'shape'], ['f'])
      .initializer('shape', {
        dataType: 'int64',
        dims: [2],
        data: { kind: 'bytes', bytes: new Uint8Array(BigInt64Array.of(-1n, 8n).buffer) },
      })
      .floats('g', [8, 8], randomValues(64, 1))
      .node('Gemm', ['f', 'g'], ['y'], { transA: 1 })
      .output('y')
      .build()
    expect(plan(built).reasons).toEqual({ a: 'weight_not_constant', y: 'gemm_form' })
  })

  it('leaves a layer float whose input was not observed', () => {
    const built = conv(start(), 'x', 'a').output('a').build()
    expect(plan(built, {}, (value) => (value === 'x' ? undefined : { min: 0, max: 1 }))).toEqual({
      integer: [],
      quantized: [],
      reasons: { a: 'no_calibration_range' },
    })
  })

  it('needs opset 13 for per-channel weights and 10 at all', () => {
    const old = (opset: number) =>
      conv(model({ opset }).input('x', 'float32', [1, 8, 6, 6]), 'x', 'a')
        .output('a')
        .build()
    expect(plan(old(12)).reasons).toEqual({ a: 'opset_too_old' })
    expect(plan(old(12), { perChannel: false }).integer).toEqual(['a'])
    expect(plan(old(9), { perChannel: false }).reasons).toEqual({ a: 'opset_too_old' })
  })
})
