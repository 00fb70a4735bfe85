// Static quantization inside branches of If, calibrated on what the data brings to them.
import type { Feeds } from '@pare/datasets'
import { checkModel, type Graph, type Model, onnxOpset, subgraphsOf, walkGraphs } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { whyNot } from '@pare/recipe'
import { tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import type { QuantizeStaticOptions } from '../static/options.js'
import { quantizeExcept } from '../static/quantize-static.js'
import { quantizeVerified } from '../static/quantize-verified.js'
import { calibrated, optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'

const pads = { pads: [1, 1, 1, 1] }
const CHANNELS = 16

/** Two convolutions over `input`; the second kernel may be one of the graph around. */
function network(name: string, input: string, secondKernel?: string): ModelBuilder {
  const n = (part: string) => `${name}_${part}`
  const weights = (seed: number) => randomValues(CHANNELS * CHANNELS * 9, seed, 0.08)
  const built = model()
    .floats(n('w1'), [CHANNELS, CHANNELS, 3, 3], weights(name.length))
    .floats(n('b1'), [CHANNELS], randomValues(CHANNELS, 3))
    .node('Conv', [input, n('w1'), n('b1')], [n('c1')], pads)
    .node('Relu', [n('c1')], [n('r1')])
    .node('Conv', [n('r1'), secondKernel ?? n('w2')], [n('c2')], pads)
  if (secondKernel === undefined) {
    built.floats(n('w2'), [CHANNELS, CHANNELS, 3, 3], weights(name.length + 1))
  }
  return built
}

function inBranches(thenBranch: Graph, elseBranch: Graph): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', CHANNELS, 6, 6])
    .input('flag', 'bool', [])
    .floats('outer', [CHANNELS, CHANNELS, 3, 3], randomValues(CHANNELS * CHANNELS * 9, 9, 0.08))
    .node('Abs', ['x'], ['size'])
    .node('If', ['flag'], ['y'], { then_branch: thenBranch, else_branch: elseBranch })
    .output('y')
    .build()
}

const twoBranches = () =>
  inBranches(
    network('loud', 'x', 'outer').output('loud_c2').graph(),
    network('quiet', 'size', 'outer').output('quiet_c2').graph(),
  )

function sample(flag: boolean, seed: number, scale = 1): Feeds {
  return {
    x: randomTensor([1, CHANNELS, 6, 6], seed, scale),
    flag: { dataType: 'bool', dims: [], data: Uint8Array.of(flag ? 1 : 0) },
  }
}

const both = [sample(true, 1), sample(false, 2), sample(true, 3), sample(false, 4)]

async function quantize(built: Model, data: readonly Feeds[], options: QuantizeStaticOptions = {}) {
  checkModel(built)
  const statistics = await calibrated(built, data, options)
  const result = await quantizeVerified({ model: built, statistics, options, optimize })
  checkModel(result.model)
  return { ...result, statistics }
}

async function quality(built: Model, result: Model, feeds: Feeds, output = 'y'): Promise<number> {
  const [before, after] = [await runModel(built, feeds), await runModel(result, feeds)]
  expect(after[output]!.dims).toEqual(before[output]!.dims)
  return sqnr(before[output]!, after[output]!)
}

/** Names that graphs of a model define: none twice. */
function definedNames({ graph }: Model): readonly string[] {
  return [...walkGraphs(graph)].flatMap((inner) => [
    ...inner.initializers.keys(),
    ...inner.nodes.flatMap(({ outputs }) => outputs),
  ])
}

describe('quantizeStatic in branches', () => {
  it.each([
    {},
    { format: 'QOperator' },
    { activationType: 'int8' },
    { activationType: 'uint16' },
  ] as const)(
    'quantizes both branches, each by what the data brings to it: %j',
    async (options) => {
      const built = twoBranches()
      const { model: quantized, layers, diagnostics } = await quantize(built, both, options)
      expect(layers.map(({ node, decision }) => [node, decision])).toEqual([
        ['loud_c1', 'integer'],
        ['loud_c2', 'integer'],
        ['quiet_c1', 'integer'],
        ['quiet_c2', 'integer'],
      ])
      if (!('activationType' in options && options.activationType === 'uint16')) {
        expect(layers.map(({ kernel }) => kernel)).toEqual(new Array(4).fill('QLinearConv'))
      }
      expect(diagnostics.map(({ code }) => code)).not.toContain('in_subgraph')
      for (const feeds of both) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
    },
  )

  it('takes float weights of the graph around away once nothing reads them', async () => {
    const { model: quantized } = await quantize(twoBranches(), both)
    expect(quantized.graph.initializers.size).toBe(0)
    const floats = [...walkGraphs(quantized.graph)]
      .flatMap(({ initializers }) => [...initializers.values()])
      .filter(({ dataType, dims }) => dataType === 'float32' && dims.length > 1)
    expect(floats).toEqual([])
  })

  it('gives no two values of the whole model one name', async () => {
    const { model: quantized } = await quantize(twoBranches(), both)
    const names = definedNames(quantized)
    expect(new Set(names).size).toBe(names.length)
  })

  it('knows the range that a value has in each branch that reads it', async () => {
    const built = inBranches(
      network('loud', 'x').output('loud_c2').graph(),
      network('quiet', 'x').output('quiet_c2').graph(),
    )
    const data = [sample(true, 1, 8), sample(false, 2, 0.1)]
    const { layers, model: quantized } = await quantize(built, data)
    const width = (output: string) => {
      const { min, max } = layers.find((layer) => layer.output === output)!.input!.range
      return max - min
    }
    expect(width('loud_c1')).toBeGreaterThan(20 * width('quiet_c1'))
    for (const feeds of data) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
  })

  it('leaves a branch float that no sample takes, and says so', async () => {
    const built = twoBranches()
    const { model: quantized, layers, diagnostics } = await quantize(built, [both[0]!])
    expect(layers.map(({ decision, reason }) => reason ?? decision)).toEqual([
      ...['integer', 'integer'],
      ...['branch_not_taken', 'branch_not_taken'],
    ])
    expect(diagnostics).toContainEqual(
      expect.objectContaining({ code: 'branch_not_taken', severity: 'warning', node: 'quiet_c1' }),
    )
    expect(await runModel(quantized, both[1]!)).toEqual(await runModel(built, both[1]!))
  })

  it('says why where the data takes no branch with layers', async () => {
    const built = inBranches(
      network('loud', 'x').output('loud_c2').graph(),
      model().node('Tanh', ['x'], ['t']).output('t').graph(),
    )
    await expect(quantize(built, [both[1]!])).rejects.toMatchObject({
      code: 'quantization_not_applicable',
      message: expect.stringContaining('no sample of the calibration data takes') as string,
    })
  })

  it('leaves a branch float that reads a sequence, and quantizes the other', async () => {
    const reader = network('deep', 'item').output('deep_c2').graph()
    const taken = model().node('SequenceAt', ['list', 'at'], ['item']).graph()
    const at = tensorFromInts('int64', [], [0])
    const second: Graph = {
      ...reader,
      nodes: [...taken.nodes, ...reader.nodes],
      initializers: new Map([...reader.initializers, ['at', at]]),
    }
    const { graph, ...rest } = inBranches(second, network('other', 'x').output('other_c2').graph())
    const listed = model().node('SequenceConstruct', ['x', 'size'], ['list']).graph()
    const [abs, branching] = graph.nodes
    const nodes = [abs!, ...listed.nodes, branching!]
    const built: Model = { ...rest, graph: { ...graph, nodes } }
    const { layers, model: quantized } = await quantize(built, both)
    expect(layers.map(({ decision, reason }) => reason ?? decision)).toEqual([
      ...['branch_not_taken', 'branch_not_taken', 'integer', 'integer'],
    ])
    expect(await runModel(quantized, both[0]!)).toEqual(await runModel(built, both[0]!))
  })

  it('reaches branches in branches, and values of every graph around', async () => {
    const inner = network('deep', 'middle', 'outer').node('Add', ['deep_c2', 'x'], ['deep_y'])
    const shallow = network('shallow', 'size')
    const built = inBranches(
      shallow
        .node('Relu', ['shallow_c2'], ['middle'])
        .node('ReduceMax', ['size'], ['most'], { keepdims: 0 })
        .node('Greater', ['most', 'limit'], ['isLoud'])
        .initializer('limit', tensorFromFloat32([], Float32Array.of(4.5)))
        .node('If', ['isLoud'], ['then_y'], {
          then_branch: inner.output('deep_y').graph(),
          else_branch: model().node('Identity', ['middle'], ['same']).output('same').graph(),
        })
        .output('then_y')
        .graph(),
      network('other', 'x').output('other_c2').graph(),
    )
    const data = [sample(true, 1, 2), sample(true, 2), sample(false, 3)]
    const { model: quantized, layers } = await quantize(built, data)
    expect(layers.filter(({ decision }) => decision === 'integer').map(({ node }) => node)).toEqual(
      [...['shallow_c1', 'shallow_c2', 'deep_c1', 'deep_c2', 'other_c1', 'other_c2']],
    )
    const names = definedNames(quantized)
    expect(new Set(names).size).toBe(names.length)
    for (const feeds of data) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
  })

  it('quantizes around an If as well, whose branch then reads integers', async () => {
    const built = model({ opset: 17 })
      .input('x', 'float32', ['n', CHANNELS, 6, 6])
      .input('flag', 'bool', [])
      .floats('w', [CHANNELS, CHANNELS, 3, 3], randomValues(CHANNELS * CHANNELS * 9, 5, 0.08))
      .floats('v', [CHANNELS, CHANNELS, 3, 3], randomValues(CHANNELS * CHANNELS * 9, 6, 0.08))
      .node('Conv', ['x', 'w'], ['c'], pads)
      .node('Relu', ['c'], ['r'])
      .node('Conv', ['r', 'v'], ['d'], pads)
      .node('Relu', ['d'], ['s'])
      .node('If', ['flag'], ['y'], {
        then_branch: network('a', 's').output('a_c2').graph(),
        else_branch: network('b', 'r').output('b_c2').graph(),
      })
      .output('y')
      .build()
    const { model: quantized, layers } = await quantize(built, both)
    expect(layers.map(({ decision }) => decision)).toEqual(new Array(6).fill('integer'))
    for (const feeds of both) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
  })

  it('leaves a Loop beside it alone, and says how many layers are in its body', async () => {
    const body = network('loop', 'state')
      .input('i', 'int64', [])
      .input('go', 'bool', [])
      .input('state', 'float32')
      .node('Identity', ['go'], ['again'])
      .output('again', 'bool')
      .output('loop_c2')
      .graph()
    const { graph, ...rest } = twoBranches()
    const looped = model()
      .node('Loop', ['count', 'yes', 'y'], ['z'], { body })
      .initializer('count', tensorFromInts('int64', [], [2]))
      .initializer('yes', tensorFromInts('bool', [], [1]))
      .output('z')
      .graph()
    const built: Model = {
      ...rest,
      graph: {
        ...graph,
        nodes: [...graph.nodes, ...looped.nodes],
        initializers: new Map([...graph.initializers, ...looped.initializers]),
        outputs: looped.outputs,
      },
    }
    const { model: quantized, layers, diagnostics } = await quantize(built, both)
    expect(layers).toHaveLength(4)
    expect(diagnostics).toContainEqual(
      expect.objectContaining({
        code: 'in_subgraph',
        opType: 'Loop',
        message: expect.stringContaining('2 layers') as string,
      }),
    )
    for (const feeds of both)
      expect(await quality(built, quantized, feeds, 'z')).toBeGreaterThan(20)
  })

  it('takes branches that have names in common', async () => {
    const branch = (seed: number) =>
      model()
        .floats('w', [CHANNELS, CHANNELS, 3, 3], randomValues(CHANNELS * CHANNELS * 9, seed, 0.08))
        .node('Conv', ['x', 'w'], ['c'], pads)
        .node('Relu', ['c'], ['r'])
        .node('Conv', ['r', 'outer'], ['d'], pads)
        .output('d')
        .graph()
    const built = inBranches(branch(1), branch(2))
    const { model: quantized, layers } = await quantize(built, both)
    expect(layers.map(({ decision }) => decision)).toEqual(new Array(4).fill('integer'))
    for (const feeds of both) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
  })

  it('raises the opset in branches too', async () => {
    const built: Model = { ...twoBranches(), opsetImports: [{ domain: '', version: 12 }] }
    const { model: quantized, layers } = await quantize(built, both)
    expect(onnxOpset(quantized)).toBe(13)
    expect(layers.every(({ decision }) => decision === 'integer')).toBe(true)
    for (const feeds of both) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
  })

  it('quantizes MatMul with a bias in branches', async () => {
    const head = (name: string) =>
      model()
        .floats(`${name}_w`, [32, 64], randomValues(2048, name.length, 0.2))
        .floats(`${name}_b`, [64], randomValues(64, 2))
        .floats(`${name}_v`, [64, 8], randomValues(512, 3, 0.2))
        .node('MatMul', ['x', `${name}_w`], [`${name}_m`])
        .node('Add', [`${name}_m`, `${name}_b`], [`${name}_a`])
        .node('Relu', [`${name}_a`], [`${name}_r`])
        .node('MatMul', [`${name}_r`, `${name}_v`], [`${name}_y`])
        .output(`${name}_y`)
        .graph()
    for (const shape of [
      [4, 32],
      [2, 4, 32],
    ]) {
      const built = model({ opset: 17 })
        .input('x', 'float32', shape)
        .input('flag', 'bool', [])
        .node('If', ['flag'], ['y'], { then_branch: head('one'), else_branch: head('three') })
        .output('y')
        .build()
      const data = [true, false].map((flag) => ({
        ...sample(flag, 1),
        x: randomTensor(shape, 4),
      }))
      const { model: quantized, layers } = await quantize(built, data)
      const integers = layers.filter(({ opType }) => opType === 'MatMul' || opType === 'Gemm')
      expect(integers.map(({ decision }) => decision)).toEqual(new Array(4).fill('integer'))
      for (const feeds of data) expect(await quality(built, quantized, feeds)).toBeGreaterThan(25)
    }
  })

  it('leaves float what is to stay so, and the float weights with it', async () => {
    const built = twoBranches()
    const statistics = await calibrated(built, both)
    const kept = quantizeExcept(built, statistics, {
      options: {},
      forced: new Map(
        ['loud_c1', 'loud_c2', 'quiet_c1'].map((output) => [
          output,
          whyNot('accuracy_fallback', 'a test asks for it'),
        ]),
      ),
    })
    expect(kept.layers.map(({ reason }) => reason)).toEqual([
      ...['accuracy_fallback', 'accuracy_fallback', 'accuracy_fallback', undefined],
    ])
    const [taken, other] = subgraphsOf(kept.model.graph.nodes.at(-1)!)
    expect(taken).toBe(subgraphsOf(built.graph.nodes.at(-1)!)[0])
    expect(other!.nodes.map(({ opType }) => opType)).toContain('QuantizeLinear')
    expect([...kept.model.graph.initializers.keys()]).toEqual(['outer'])
  })
})
