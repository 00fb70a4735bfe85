// An upgraded model must compute what the old one did: both run in onnxruntime.
import { attr, checkModel, type Graph, type Model, onnxOpset } from '@pare/graph'
import { type AttributeSpec, model, tensorValue } from '@pare/graph/testing'
import { NEWEST_OPSET } from '@pare/ops'
import { raiseOpset, type ValueShapes } from '@pare/passes'
import { type RuntimeTensor, tensorFromFloats, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { upgradeTable } from '../../packages/passes/src/opset/upgrade-table.js'
import { expectSameOutputs, randomFloats } from '../support/run-model.js'

interface Case {
  readonly opType: string
  /** Opset of the old model. */
  readonly from: number
  /** Version whose rule is tried. */
  readonly version: number
  readonly inputs: readonly string[]
  readonly outputs?: readonly string[]
  readonly attributes?: Readonly<Record<string, AttributeSpec>>
  readonly dims?: readonly number[]
}

function titleOf(attributes: NonNullable<Case['attributes']>): string {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
  return JSON.stringify(attributes, plain)
}

const cases: readonly Case[] = [
  {
    opType: 'AveragePool',
    from: 13,
    version: 19,
    inputs: ['x'],
    attributes: { kernel_shape: [2, 2], ceil_mode: 1 },
  },
  {
    opType: 'BatchNormalization',
    from: 7,
    version: 9,
    inputs: ['x', 'c', 'c', 'c', 'v'],
    attributes: { spatial: 1 },
  },
  { opType: 'BatchNormalization', from: 9, version: 14, inputs: ['x', 'c', 'c', 'c', 'v'] },
  {
    opType: 'Clip',
    from: 7,
    version: 11,
    inputs: ['x'],
    attributes: { min: attr.float(-0.5), max: attr.float(0.5) },
  },
  { opType: 'Clip', from: 7, version: 11, inputs: ['x'], attributes: { max: attr.float(0.5) } },
  {
    opType: 'Dropout',
    from: 7,
    version: 10,
    inputs: ['x'],
    outputs: ['y', 'mask'],
    attributes: { ratio: attr.float(0.3) },
  },
  {
    opType: 'Dropout',
    from: 10,
    version: 12,
    inputs: ['x'],
    attributes: { ratio: attr.float(0.3) },
  },
  {
    opType: 'GridSample',
    from: 16,
    version: 20,
    inputs: ['x', 'grid'],
    attributes: { mode: 'bilinear' },
  },
  { opType: 'GridSample', from: 16, version: 20, inputs: ['x', 'grid'] },
  { opType: 'Hardmax', from: 11, version: 13, inputs: ['x'], attributes: { axis: 2 } },
  { opType: 'LogSoftmax', from: 7, version: 13, inputs: ['x'] },
  {
    opType: 'Pad',
    from: 7,
    version: 11,
    inputs: ['x'],
    attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], value: attr.float(1.5) },
  },
  {
    opType: 'Pad',
    from: 7,
    version: 11,
    inputs: ['x'],
    attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: 'reflect' },
  },
  {
    opType: 'ReduceSum',
    from: 7,
    version: 13,
    inputs: ['x'],
    attributes: { axes: [1, 3], keepdims: 0 },
  },
  { opType: 'ReduceSum', from: 7, version: 13, inputs: ['x'] },
  ...[
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSumSquare',
  ].map((opType) => ({
    opType,
    from: 13,
    version: 18,
    inputs: ['positive'],
    attributes: { axes: [2, 3] },
  })),
  { opType: 'Resize', from: 10, version: 11, inputs: ['x', 'larger'] },
  { opType: 'Resize', from: 10, version: 11, inputs: ['x', 'smaller'] },
  {
    opType: 'Resize',
    from: 10,
    version: 11,
    inputs: ['x', 'mixed'],
    attributes: { mode: 'linear' },
  },
  { opType: 'Resize', from: 11, version: 13, inputs: ['x', 'none', 'larger'] },
  {
    opType: 'RoiAlign',
    from: 10,
    version: 16,
    inputs: ['x', 'rois', 'batches'],
    attributes: { output_height: 2, output_width: 2 },
  },
  {
    opType: 'Scatter',
    from: 9,
    version: 11,
    inputs: ['x', 'indices', 'updates'],
    attributes: { axis: 0 },
  },
  {
    opType: 'Slice',
    from: 7,
    version: 10,
    inputs: ['x'],
    attributes: { starts: [1, -2], ends: [3, 100], axes: [1, 3] },
  },
  {
    opType: 'Slice',
    from: 7,
    version: 10,
    inputs: ['x'],
    attributes: { starts: [0, 1], ends: [2, 3] },
  },
  {
    opType: 'Slice',
    from: 7,
    version: 10,
    inputs: ['x'],
    attributes: { starts: [1], ends: [9_223_372_036_854_775_807n] },
  },
  { opType: 'Softmax', from: 7, version: 13, inputs: ['x'] },
  { opType: 'Softmax', from: 7, version: 13, inputs: ['x'], attributes: { axis: 3 } },
  { opType: 'Softmax', from: 11, version: 13, inputs: ['x'], attributes: { axis: -2 } },
  {
    opType: 'Split',
    from: 7,
    version: 13,
    inputs: ['x'],
    outputs: ['y', 'z'],
    attributes: { axis: 1, split: [1, 2] },
  },
  {
    opType: 'Split',
    from: 13,
    version: 18,
    inputs: ['x'],
    outputs: ['y', 'z'],
    attributes: { axis: 2 },
  },
  {
    opType: 'Squeeze',
    from: 7,
    version: 13,
    inputs: ['x'],
    dims: [2, 1, 3, 1],
    attributes: { axes: [1] },
  },
  { opType: 'Squeeze', from: 7, version: 13, inputs: ['x'], dims: [2, 1, 3, 1] },
  {
    opType: 'TopK',
    from: 7,
    version: 10,
    inputs: ['x'],
    outputs: ['y', 'z'],
    attributes: { k: 2 },
  },
  { opType: 'Unsqueeze', from: 7, version: 13, inputs: ['x'], attributes: { axes: [0, 3] } },
  {
    opType: 'Upsample',
    from: 7,
    version: 9,
    inputs: ['x'],
    attributes: { scales: attr.floats([1, 1, 2, 3]) },
  },
  {
    opType: 'Upsample',
    from: 9,
    version: 10,
    inputs: ['x', 'larger'],
    attributes: { mode: 'linear' },
  },
]

/** Rules that always refuse. */
const refusals = new Set(['DFT 20', 'GroupNormalization 21', 'Scan 9'])

const dims = [2, 3, 4, 4]

function oldModel(
  { opType, from, inputs, outputs = ['y'], attributes = {} }: Case,
  shape: readonly number[],
): Model {
  const builder = model({ opset: from, irVersion: from < 9 ? 3 : 8 })
    .input('x', 'float32', shape)
    .floats('c', [3], [0.5, 1, 2])
    .floats('v', [3], [1, 2, 3])
    .floats('larger', [4], [1, 1, 2, 3])
    .floats('smaller', [4], [1, 1, 0.5, 0.5])
    .floats('mixed', [4], [1, 1, 2, 0.5])
    .initializer('none', tensorFromFloats('float32', [0], new Float32Array(0)))
    .floats('rois', [2, 4], [0, 0, 3, 3, 1, 1, 2, 3])
    .initializer('batches', tensorFromInts('int64', [2], [0, 1]))
    .initializer('indices', tensorFromInts('int64', [1, 1, 1, 2], [1, 0]))
    .floats('updates', [1, 1, 1, 2], [7, 8])
    .floats('grid', [2, 1, 2, 2], [-0.9, 0.3, 0.1, 0.7, 0, 0, 0.2, -0.4])
    .node('Abs', ['x'], ['positive'])
    .node(opType, inputs, outputs, attributes)
  for (const output of outputs)
    if (output !== 'mask') builder.output(output, outputTypes(opType, output))
  const built = builder.build()
  // Files before IR 4 list every initializer as an input.
  const read = new Set(built.graph.nodes.flatMap((node) => node.inputs))
  const initializers = new Map([...built.graph.initializers].filter(([name]) => read.has(name)))
  const listed =
    from < 9
      ? [...initializers].map(([name, tensor]) => tensorValue(name, tensor.dataType, tensor.dims))
      : []
  const graph: Graph = { ...built.graph, initializers, inputs: [...built.graph.inputs, ...listed] }
  return { ...built, graph }
}

function outputTypes(opType: string, output: string) {
  return opType === 'TopK' && output === 'z' ? 'int64' : 'float32'
}

/** onnxruntime has no kernel of RoiAlign 22, which only widened its types. */
function newestOf({ opType }: Case): number {
  return opType === 'RoiAlign' ? 21 : NEWEST_OPSET
}

describe('raiseOpset', () => {
  it.each(
    cases.map((one) => ({
      ...one,
      title: `${one.opType} ${one.version} ${titleOf(one.attributes ?? {})}`,
    })),
  )('keeps what $title computes', async (one) => {
    const x = randomFloats(one.dims ?? dims)
    const before = oldModel(one, x.dims)
    checkModel(before)
    for (const version of new Set(
      [one.version, 13, 17, 21, newestOf(one)].filter((target) => target >= one.version),
    )) {
      const { model: after, modified, diagnostics } = raiseOpset(version).run(before)
      expect([modified, diagnostics]).toEqual([true, []])
      expect(onnxOpset(after)).toBe(version)
      checkModel(after)
      await expectSameOutputs(before, after, { x }, { relative: 1e-6 })
    }
  })

  it('has a case for every rule of the table', () => {
    const rules = Object.entries(upgradeTable).flatMap(([opType, versions]) =>
      Object.keys(versions).map((version) => `${opType} ${version}`),
    )
    const covered = new Set([
      ...cases.map(({ opType, version }) => `${opType} ${version}`),
      ...refusals,
    ])
    expect(rules.filter((rule) => !covered.has(rule))).toEqual([])
  })

  it('writes the flattening of Softmax out where the rank is unknown, and not where it is learned', async () => {
    const before = model({ opset: 11, irVersion: 6 })
      .input('x')
      .node('Softmax', ['x'], ['y'])
      .output('y')
      .build()
    const types = (after: Model) => after.graph.nodes.map(({ opType }) => opType)
    const unknown = raiseOpset(13).run(before).model
    expect(types(unknown)).toEqual(['Shape', 'Flatten', 'Softmax', 'Reshape'])
    await expectSameOutputs(before, unknown, { x: randomFloats([2, 3, 4]) })
    const shapes: ValueShapes = new Map([['x', { dataType: 'float32', dims: [2, 3] }]])
    const known = raiseOpset(13, { shapes }).run(before).model
    expect(types(known)).toEqual(['Softmax'])
    await expectSameOutputs(before, known, { x: randomFloats([2, 3]) })
  })

  it('upgrades bodies, with constants of the graphs around them', async () => {
    const body = (output: string, mode: string) =>
      model()
        .node('Unsqueeze', ['x'], [`${output}_u`], { axes: [0] })
        .node('Resize', [`${output}_u`, 'scales'], [output], { mode })
        .output(output)
        .graph()
    const before = model({ opset: 10, irVersion: 5 })
      .input('x', 'float32', [1, 2, 2])
      .input('flag', 'bool', [])
      .floats('scales', [4], [1, 1, 2, 2])
      .node('If', ['flag'], ['y'], {
        then_branch: body('t', 'nearest'),
        else_branch: body('e', 'linear'),
      })
      .output('y')
      .build()
    const { model: after, diagnostics } = raiseOpset(17).run(before)
    expect(diagnostics).toEqual([])
    checkModel(after)
    for (const value of [0, 1]) {
      const flag: RuntimeTensor = { dataType: 'bool', dims: [], data: Uint8Array.of(value) }
      await expectSameOutputs(before, after, { x: randomFloats([1, 2, 2]), flag })
    }
  })

  it.each<{
    title: string
    from: number
    to: number
    opType: string
    attributes?: Case['attributes']
  }>([
    { title: 'an operator that no opset had', from: 11, to: 13, opType: 'Nonsense' },
    { title: 'Resize by scales that are computed', from: 10, to: 11, opType: 'Resize' },
    {
      title: 'BatchNormalization of each position',
      from: 7,
      to: 9,
      opType: 'BatchNormalization',
      attributes: { spatial: 0 },
    },
    {
      title: 'AveragePool that counts padding it leaves',
      from: 13,
      to: 19,
      opType: 'AveragePool',
      attributes: { kernel_shape: [2, 2], ceil_mode: 1, count_include_pad: 1 },
    },
    {
      title: 'coordinates that are gone',
      from: 11,
      to: 13,
      opType: 'Resize',
      attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
    },
  ])('leaves a model with $title as it is and says so', ({ from, to, opType, attributes = {} }) => {
    const inputs = opType === 'BatchNormalization' ? ['x', 'a', 'a', 'a', 'a'] : ['x', 'a']
    const before = model({ opset: from, irVersion: 8 })
      .input('x')
      .input('a')
      .node('Relu', ['x'], ['r'])
      .node(opType, inputs, ['y'], { ...attributes })
      .named('culprit')
      .output('y')
      .build()
    const result = raiseOpset(to).run(before)
    expect(result.model).toBe(before)
    expect(result.diagnostics).toMatchObject([
      { code: 'opset_not_raised', severity: 'warning', node: 'culprit', opType },
    ])
  })

  it('knows the opsets it was written for', () => {
    const at = (opset: number) =>
      model({ opset, irVersion: 8 }).input('x').node('Relu', ['x'], ['y']).output('y').build()
    expect(raiseOpset(13).run(at(13)).modified).toBe(false)
    expect(raiseOpset(13).run(at(17)).modified).toBe(false)
    expect(raiseOpset(13).run(at(6)).diagnostics).toHaveLength(1)
    expect(raiseOpset(NEWEST_OPSET + 1).run(at(13)).diagnostics).toHaveLength(1)
    expect(raiseOpset(NEWEST_OPSET).run(at(13)).model.irVersion).toBe(13)
    expect(raiseOpset(23).run(at(13)).model.irVersion).toBe(11)
  })
})
