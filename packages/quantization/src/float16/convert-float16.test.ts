import { calibrate } from '@pare/calibration'
import { toBatches } from '@pare/datasets'
import { checkModel, type Graph, type Model, walkNodes } from '@pare/graph'
import { attr } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeFloat16, type RuntimeTensor, tensorFromInts, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { randomTensor, randomValues, runModel } from '../testing.js'
import { convertFloat16 } from './convert-float16.js'
import { float16ObservationPoints } from './float16-observation-points.js'
import type { ConvertFloat16Options } from './options.js'

const runtime = onnxRuntime()
const X = { x: randomTensor([4, 8], 1) }

function weights(seed: number, scale = 0.3): Float32Array {
  return randomValues(64, seed, scale)
}

/** x [4, 8] → MatMul. */
function matMul() {
  return model()
    .input('x', 'float32', [4, 8])
    .floats('w', [8, 8], weights(2))
    .node('MatMul', ['x', 'w'], ['m'])
}

function opTypes({ graph }: Model): readonly string[] {
  return [...walkNodes(graph, { subgraphs: 'visit' })].map(({ opType }) => opType)
}

function casts(converted: Model): number {
  return opTypes(converted).filter((opType) => opType === 'Cast').length
}

function numbers({ dataType, data }: RuntimeTensor): Float32Array {
  return dataType === 'float16' ? decodeFloat16(data as Uint16Array) : (data as Float32Array)
}

/** Converts, checks, runs both, compares: the difference relative to the largest value. */
async function equivalent(
  original: Model,
  options: ConvertFloat16Options = {},
  feeds: Readonly<Record<string, RuntimeTensor>> = X,
) {
  const result = convertFloat16(original, options)
  checkModel(result.model)
  const [before, after] = [await runModel(original, feeds), await runModel(result.model, feeds)]
  for (const [name, tensor] of Object.entries(before)) {
    const [a, b] = [numbers(tensor), numbers(after[name]!)]
    const scale = Math.max(...a.map(Math.abs))
    expect(b.length).toBe(a.length)
    expect(scale).toBeGreaterThan(0)
    a.forEach((expected, i) => {
      expect(Math.abs(b[i]! - expected)).toBeLessThanOrEqual(0.01 * scale)
    })
  }
  return result
}

describe('inputs and outputs', () => {
  it('may have the names of the nodes that make them', async () => {
    const { graph, ...rest } = matMul().node('Relu', ['m'], ['y']).output('y').build()
    const nodes = graph.nodes.map((node) => ({ ...node, name: node.outputs[0]! }))
    await equivalent({ ...rest, graph: { ...graph, nodes } })
  })

  it('stay float32 with one Cast each, and keep their names', async () => {
    const original = matMul().node('Relu', ['m'], ['y']).output('y').build()
    const { model: converted, castsAdded, layers } = await equivalent(original)
    expect(opTypes(converted)).toEqual(['Cast', 'MatMul', 'Relu', 'Cast'])
    expect(castsAdded).toBe(2)
    expect(converted.graph.outputs).toEqual(original.graph.outputs)
    expect(converted.graph.initializers.get('w')?.dataType).toBe('float16')
    expect(layers.map(({ decision }) => decision)).toEqual(['float16', 'float16'])
  })

  it('become float16 on request', () => {
    const original = matMul().output('m', 'float32', [4, 8]).build()
    const { model: converted } = convertFloat16(original, { keepIoTypes: false })
    expect(opTypes(converted)).toEqual(['MatMul'])
    for (const { type } of [...converted.graph.inputs, ...converted.graph.outputs]) {
      expect(type).toMatchObject({ elementType: 'float16' })
    }
  })

  it('with a default value have the default in their type', async () => {
    const original = matMul().input('w', 'float32', [8, 8]).output('m', 'float32', [4, 8]).build()
    const { model: converted } = await equivalent(original)
    expect(converted.graph.initializers.get('w')?.dataType).toBe('float32')
    const narrow = convertFloat16(original, { keepIoTypes: false, opBlockList: [] }).model
    expect(narrow.graph.initializers.get('w')?.dataType).toBe('float16')
  })

  it('are cast once where an output is read by float32 and float16 nodes alike', async () => {
    const original = matMul()
      .node('Relu', ['m'], ['y'])
      .node('MatMul', ['y', 'w'], ['z'])
      .node('Sin', ['y'], ['s'])
      .output('y')
      .output('z')
      .output('s')
      .build()
    const { model: converted } = await equivalent(original)
    expect(casts(converted)).toBe(3)
    expect(converted.graph.nodes.find(({ opType }) => opType === 'Sin')?.inputs).toEqual(['y'])
  })

  it('update the declared types of inner values', () => {
    const original = matMul()
      .value('m', 'float32', [4, 8])
      .node('Relu', ['m'], ['y'])
      .output('y')
      .build()
    const { valueInfo } = convertFloat16(original).model.graph
    expect(valueInfo).toMatchObject([{ name: 'm', type: { elementType: 'float16' } }])
  })
})

describe('nodes that stay float32', () => {
  const chain = () =>
    matMul()
      .node('Softmax', ['m'], ['s'])
      .named('soft')
      .node('MatMul', ['s', 'w'], ['y'])
      .output('y')
      .build()

  it('are those of blocked types and names, with a reason', async () => {
    for (const options of [{ opBlockList: ['Softmax'] }, { nodeBlockList: ['soft'] }]) {
      const { model: converted, layers, diagnostics } = await equivalent(chain(), options)
      expect(casts(converted)).toBe(4)
      const reason = 'opBlockList' in options ? 'excluded_by_type' : 'excluded_by_name'
      expect(layers[1]).toMatchObject({ node: 'soft', decision: 'float32', reason })
      expect(diagnostics).toMatchObject([{ code: `float16_${reason}`, node: 'soft' }])
    }
  })

  it('take their neighbours with them where converting those would only add Casts', async () => {
    const original = matMul()
      .node('CumSum', ['m', 'axis'], ['a'])
      .node('Mul', ['a', 'a'], ['b'])
      .node('CumSum', ['b', 'axis'], ['c'])
      .node('MatMul', ['c', 'w'], ['y'])
      .initializer('axis', tensorFromInts('int64', [], [1]))
      .output('y')
      .build()
    const { model: converted, layers } = await equivalent(original)
    expect(casts(converted)).toBe(4)
    expect(layers.find(({ opType }) => opType === 'Mul')).toMatchObject({ reason: 'fewest_casts' })
  })

  it('share one Cast of a value that several of them read', async () => {
    const original = matMul()
      .node('Sin', ['m'], ['a'])
      .node('Cos', ['m'], ['b'])
      .node('MatMul', ['m', 'w'], ['c'])
      .output('a')
      .output('b')
      .output('c')
      .build()
    const { model: converted } = await equivalent(original)
    // Into x, from m, from c.
    expect(casts(converted)).toBe(3)
  })

  it('are those whose definition has no float16 in the opset of the model', async () => {
    const axis = tensorFromInts('int64', [], [1])
    const build = (opset: number) =>
      model({ opset })
        .input('x', 'float32', [4, 8])
        .floats('w', [8, 8], weights(2))
        .initializer('axis', axis)
        .node('MatMul', ['x', 'w'], ['m'])
        .node('CumSum', ['m', 'axis'], ['c'])
        .node('MatMul', ['c', 'w'], ['y'])
        .output('y')
        .build()
    const options = { opBlockList: [] }
    const old = await equivalent(build(13), options)
    expect(old.layers[1]).toMatchObject({ decision: 'float32', reason: 'no_narrow_type' })
    const recent = await equivalent(build(14), options)
    expect(recent.layers[1]).toMatchObject({ decision: 'float16' })
  })

  it('keep the inputs of a float16 node that must be float32: scales of Resize', async () => {
    const original = model()
      .input('x', 'float32', [1, 2, 4, 4])
      .floats('w', [2, 2, 3, 3], randomValues(36, 3))
      .floats('scales', [4], [1, 1, 2, 2])
      .node('Conv', ['x', 'w'], ['c'])
      .node('Resize', ['c', '', 'scales'], ['r'])
      .node('Conv', ['r', 'w'], ['y'])
      .output('y')
      .build()
    const x = randomTensor([1, 2, 4, 4], 5)
    const { model: converted, layers } = await equivalent(original, {}, { x })
    expect(layers.map(({ decision }) => decision)).toEqual(['float16', 'float16', 'float16'])
    expect(converted.graph.initializers.get('scales')?.dataType).toBe('float32')
    expect(casts(converted)).toBe(2)
  })

  it('are scatters that add up, for which onnxruntime has no float16 kernel', async () => {
    const original = matMul()
      .initializer('i', tensorFromInts('int64', [2, 1], [1, 1]))
      .floats('u', [2, 8], randomValues(16, 4))
      .node('ScatterND', ['m', 'i', 'u'], ['s'], { reduction: 'add' })
      .node('MatMul', ['s', 'w'], ['y'])
      .output('y')
      .build()
    const { layers } = await equivalent(original)
    expect(layers[1]).toMatchObject({ opType: 'ScatterND', reason: 'no_kernel' })
  })

  it('are recurrent ones too, by name; otherwise their weights and states are converted', async () => {
    const original = model()
      .input('x', 'float32', [3, 2, 4])
      .floats('w', [1, 16, 4], randomValues(64, 2, 0.4))
      .floats('r', [1, 16, 4], randomValues(64, 3, 0.4))
      .node('LSTM', ['x', 'w', 'r'], ['y', 'h', 'c'], { hidden_size: 4 })
      .named('lstm')
      .output('y')
      .output('c')
      .build()
    const x = randomTensor([3, 2, 4], 7)
    const { model: converted } = await equivalent(original, {}, { x })
    expect([...converted.graph.initializers.values()].map(({ dataType }) => dataType)).toEqual([
      'float16',
      'float16',
    ])
    const kept = convertFloat16(original, { nodeBlockList: ['lstm'] })
    expect(kept.model).toBe(original)
  })

  it('are those of operators nobody knows: their inputs and outputs stay what they were', () => {
    const original = model({ domains: { 'acme.ops': 1 } })
      .input('x', 'float32', [4, 8])
      .floats('w', [8, 8], weights(2))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('acme.ops::Frob', ['m'], ['f'])
      .value('f', 'float32')
      .node('MatMul', ['f', 'w'], ['y'])
      .output('y')
      .build()
    const { model: converted, layers } = convertFloat16(original)
    expect(opTypes(converted)).toEqual(['Cast', 'MatMul', 'Cast', 'Frob', 'Cast', 'MatMul', 'Cast'])
    expect(layers[1]).toMatchObject({ decision: 'float32', reason: 'unknown_operator' })
  })
})

describe('ranges', () => {
  it('clamp a mask that stands for infinity, and say so', async () => {
    const original = matMul()
      .floats('mask', [8], [0, 0, 0, 0, 0, 0, -3.4e38, -3.4e38])
      .node('Add', ['m', 'mask'], ['a'])
      .node('Softmax', ['a'], ['s'])
      .node('MatMul', ['s', 'w'], ['y'])
      .output('y')
      .build()
    const { model: converted, layers, diagnostics } = await equivalent(original)
    expect(toFloat32(converted.graph.initializers.get('mask')!).at(-1)).toBe(-65504)
    expect(diagnostics.map(({ code }) => code)).toEqual(['float16_constant_clamped'])
    expect(layers[1]?.weights).toEqual([{ name: 'mask', clamped: 2, flushed: 0, raised: 0 }])
  })

  it('keep a layer float32 whose weight does not fit', async () => {
    const original = matMul()
      .floats('big', [8, 8], weights(3, 50_000))
      .node('MatMul', ['m', 'big'], ['b'])
      .floats('small', [8, 8], weights(4, 1e-5))
      .node('MatMul', ['b', 'small'], ['y'])
      .output('y')
      .build()
    const { layers } = await equivalent(original, { nodeBlockList: [] })
    expect(layers[1]).toMatchObject({ decision: 'float32', reason: 'weight_out_of_range' })
    const clamped = convertFloat16(original, { overflow: 'clamp' })
    expect(clamped.layers[1]).toMatchObject({ decision: 'float16' })
  })

  it('keep a layer float32 whose weight is too small', async () => {
    const original = matMul()
      .floats('tiny', [8, 8], weights(3, 2e-7))
      .node('MatMul', ['m', 'tiny'], ['t'])
      .floats('large', [], [1e6])
      .node('Mul', ['t', 'large'], ['y'])
      .output('y')
      .build()
    const { layers } = await equivalent(original)
    expect(layers[1]).toMatchObject({
      decision: 'float32',
      reason: 'weight_out_of_range',
      message: 'its weight "tiny" is too small for float16',
    })
    const clamped = convertFloat16(original, { overflow: 'clamp' })
    expect(clamped.layers[1]).toMatchObject({ decision: 'float16' })
  })

  it('keep what calibration saw beyond the range float32, with headroom', async () => {
    const original = matMul()
      .floats('up', [], [60_000])
      .floats('down', [], [1 / 60_000])
      .node('Mul', ['m', 'up'], ['a'])
      // A node with a float16 kernel: otherwise onnxruntime leaves the Casts on both sides out.
      .node('Transpose', ['a'], ['t'])
      .node('Transpose', ['t'], ['u'])
      .node('Mul', ['u', 'down'], ['b'])
      .node('MatMul', ['b', 'w'], ['y'])
      .output('y')
      .build()
    const points = float16ObservationPoints(original)
    expect(points).toEqual(['x', 'm', 'a', 't', 'u', 'b', 'y'])
    const statistics = await calibrate({
      model: original,
      points,
      runtime,
      batches: toBatches([X]),
    })
    const { layers } = await equivalent(original, { statistics })
    const out = 'activation_out_of_range'
    expect(layers.map(({ reason }) => reason)).toEqual([undefined, out, out, out, out, undefined])
    const without = await runModel(convertFloat16(original).model, X, { optimization: 'none' })
    expect(numbers(without['y']!).every(Number.isFinite)).toBe(false)
  })

  it('raise an epsilon instead of dividing by 0', async () => {
    const original = matMul()
      .floats('epsilon', [], [1e-12])
      .node('Relu', ['m'], ['r'])
      .node('Add', ['r', 'epsilon'], ['d'])
      .node('Div', ['r', 'd'], ['q'])
      .node('MatMul', ['q', 'w'], ['y'])
      .output('y')
      .build()
    const { layers } = await equivalent(original)
    expect(layers[2]?.weights).toEqual([{ name: 'epsilon', clamped: 0, flushed: 0, raised: 1 }])
  })

  it('leave what is computed from integers float32: positions and sizes', async () => {
    const original = model()
      .input('x', 'float32', [4, 8])
      .input('n', 'int64', [8])
      .floats('w', [8, 8], weights(2))
      .floats('third', [], [1 / 3])
      .node('MatMul', ['x', 'w'], ['m'])
      .node('Cast', ['n'], ['f'], { to: 1 })
      .node('Mul', ['f', 'third'], ['t'])
      .node('Floor', ['t'], ['g'])
      .node('Cast', ['g'], ['i'], { to: 7 })
      .output('m')
      .output('i', 'int64')
      .build()
    const n = {
      dataType: 'int64',
      dims: [8],
      data: BigInt64Array.of(0n, 9n, 4099n, 9999n, 3n, 70001n, 8n, 1n),
    } as const
    const { model: converted } = convertFloat16(original)
    const [before, after] = [
      await runModel(original, { ...X, n }),
      await runModel(converted, { ...X, n }),
    ]
    expect(after['i']).toEqual(before['i'])
    expect(casts(converted)).toBe(4)
  })
})

describe('constants', () => {
  it('read in both types are stored in both, without a Cast', async () => {
    const original = matMul()
      .node('Add', ['m', 'w8'], ['a'])
      .floats('w8', [8], randomValues(8, 9))
      .node('MatMul', ['a', 'w'], ['b'])
      .node('Mul', ['b', 'w8'], ['y'])
      .named('kept')
      .node('Sin', ['y'], ['s'])
      .output('s')
      .build()
    const { model: converted } = await equivalent(original, {
      opBlockList: ['Sin'],
      nodeBlockList: ['kept'],
    })
    const stored = [...converted.graph.initializers].filter(([name]) => name.startsWith('w8'))
    expect(stored.map(([, { dataType }]) => dataType).sort()).toEqual(['float16', 'float32'])
    expect(casts(converted)).toBe(2)
  })

  it('shared by two layers are stored once', async () => {
    const original = matMul().node('MatMul', ['m', 'w'], ['y']).output('y').build()
    const { model: converted } = await equivalent(original)
    expect([...converted.graph.initializers.keys()]).toEqual(['w'])
  })

  it('in Constant and ConstantOfShape nodes are converted in their attributes', async () => {
    const original = matMul()
      .node('Constant', [], ['half'], { value_float: attr.float(0.5) })
      .node('Shape', ['m'], ['shape'])
      .node('ConstantOfShape', ['shape'], ['ones'], {
        value: attr.tensor({ ...model().floats('v', [1], [1]).graph().initializers.get('v')! }),
      })
      .node('Mul', ['m', 'half'], ['a'])
      .node('Add', ['a', 'ones'], ['b'])
      .node('MatMul', ['b', 'w'], ['y'])
      .output('y')
      .build()
    const { model: converted } = await equivalent(original)
    expect(casts(converted)).toBe(2)
  })

  it('that are graph outputs keep name and type', async () => {
    const original = matMul().output('m').output('w').build()
    const { model: converted } = await equivalent(original)
    expect(converted.graph.initializers.get('w')?.dataType).toBe('float32')
    expect([...converted.graph.initializers.keys()]).toEqual(['w', 'w_float16'])
  })
})

describe('Casts of the model', () => {
  it('between the two types go', async () => {
    const original = matMul()
      .node('Cast', ['m'], ['h'], { to: 10 })
      .node('Relu', ['h'], ['r'])
      .node('Cast', ['r'], ['f'], { to: 1 })
      .node('MatMul', ['f', 'w'], ['y'])
      .output('y')
      .build()
    const { model: converted, castsAdded } = await equivalent(original)
    expect(opTypes(converted)).toEqual(['Cast', 'MatMul', 'Relu', 'MatMul', 'Cast'])
    expect(castsAdded).toBe(0)
  })

  it('go straight to the type that is read: no chains', async () => {
    const original = matMul()
      .input('b', 'bool', [8])
      .node('Cast', ['b'], ['f'], { to: 1 })
      .node('Mul', ['m', 'f'], ['a'])
      .node('MatMul', ['a', 'w'], ['y'])
      .output('y')
      .build()
    const b = { dataType: 'bool', dims: [8], data: Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1) } as const
    const { castsAdded } = await equivalent(original, {}, { ...X, b })
    expect(castsAdded).toBe(2)
  })

  it('by example become plain Casts', async () => {
    const original = matMul()
      .input('b', 'bool', [8])
      .node('CastLike', ['b', 'm'], ['f'])
      .node('Mul', ['m', 'f'], ['a'])
      .node('MatMul', ['a', 'w'], ['y'])
      .output('y')
      .build()
    const b = { dataType: 'bool', dims: [8], data: Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1) } as const
    const { model: converted } = await equivalent(original, {}, { ...X, b })
    expect(opTypes(converted)).toEqual(['Cast', 'MatMul', 'Cast', 'Mul', 'MatMul', 'Cast'])
  })

  it('are all that is needed by a model in float16', () => {
    const original = model()
      .input('x', 'float16', [4])
      .node('Add', ['x', 'x'], ['y'])
      .output('y', 'float16')
      .build()
    const result = convertFloat16(original)
    expect(result.model).toBe(original)
    expect(result.diagnostics.map(({ code }) => code)).toEqual(['already_float16'])
  })
})

describe('bodies of If, Loop and Scan', () => {
  const branch = (build: (graph: ReturnType<typeof model>) => ReturnType<typeof model>): Graph =>
    build(model()).graph()

  it('are converted with what they capture; a captured value is cast where it is made', async () => {
    const original = matMul()
      .input('c', 'bool', [])
      .node('If', ['c'], ['i'], {
        then_branch: branch((graph) => graph.node('MatMul', ['m', 'w'], ['t']).output('t')),
        else_branch: branch((graph) =>
          graph
            .floats('v', [8, 8], weights(7))
            .node('Sin', ['m'], ['s'])
            .node('MatMul', ['s', 'v'], ['e'])
            .output('e'),
        ),
      })
      .node('MatMul', ['i', 'w'], ['y'])
      .output('y')
      .build()
    for (const flag of [0, 1]) {
      const c = { dataType: 'bool', dims: [], data: Uint8Array.of(flag) } as const
      const { model: converted } = await equivalent(original, {}, { ...X, c })
      // x and y, m for Sin (outside), the result of Sin (inside).
      expect(casts(converted)).toBe(4)
      expect(converted.graph.nodes.filter(({ opType }) => opType === 'Cast').length).toBe(3)
    }
  })

  it('carry float32 from iteration to iteration and collect float16', async () => {
    const body = model()
      .input('i', 'int64', [])
      .input('go', 'bool', [])
      .input('state', 'float32', [4, 8])
      .node('Identity', ['go'], ['on'])
      .node('MatMul', ['state', 'w'], ['p'])
      .node('Add', ['p', 'm'], ['q'])
      .node('Add', ['state', 'q'], ['next'])
      .output('on', 'bool')
      .output('next', 'float32')
      .output('q', 'float32')
      .graph()
    const original = matMul()
      .initializer('trips', tensorFromInts('int64', [], [3]))
      .node('Loop', ['trips', '', 'x'], ['last', 'all'], { body })
      .node('MatMul', ['all', 'w'], ['y'])
      .output('last')
      .output('y')
      .build()
    const { model: converted } = await equivalent(original)
    const loop = converted.graph.nodes.find(({ opType }) => opType === 'Loop')
    const written = loop?.attributes.get('body')
    expect(
      written?.type === 'graph' && written.value.outputs.map(({ type }) => type),
    ).toMatchObject([
      { elementType: 'bool' },
      { elementType: 'float32' },
      { elementType: 'float16' },
    ])
  })

  it('scan slices in the type that needs the fewest Casts', async () => {
    const body = model()
      .input('sum', 'float32', [8])
      .input('row', 'float32', [8])
      .node('MatMul', ['row', 'w'], ['p'])
      .node('Add', ['sum', 'p'], ['next'])
      .node('Identity', ['p'], ['out'])
      .output('next', 'float32', [8])
      .output('out', 'float32', [8])
      .graph()
    const original = matMul()
      .floats('zero', [8], new Float32Array(8))
      .node('Scan', ['zero', 'm'], ['total', 'rows'], { body, num_scan_inputs: 1 })
      .node('MatMul', ['rows', 'w'], ['y'])
      .output('total')
      .output('y')
      .build()
    const { model: converted } = await equivalent(original)
    // x, y, and inside the body p for the sum.
    expect(casts(converted)).toBe(3)
  })

  it('of other operators are left as they are', () => {
    const original = model({ domains: { 'acme.ops': 1 } })
      .input('x', 'float32', [4, 8])
      .floats('w', [8, 8], weights(2))
      .node('MatMul', ['x', 'w'], ['m'])
      .node('acme.ops::Each', ['x'], ['f'], {
        body: branch((graph) => graph.node('MatMul', ['m', 'w'], ['t']).output('t')),
      })
      .value('f', 'float32')
      .node('MatMul', ['f', 'w'], ['y'])
      .output('y')
      .build()
    const { model: converted, layers } = convertFloat16(original)
    expect(layers.find(({ output }) => output === 't')).toMatchObject({
      decision: 'float32',
      reason: 'in_subgraph',
    })
    expect([...converted.graph.initializers.values()].map(({ dataType }) => dataType)).toEqual([
      'float32',
      'float16',
    ])
  })
})

describe('options', () => {
  it('that make no sense are refused', () => {
    const original = matMul().output('m').build()
    for (const options of [
      { headroom: 0.5 },
      { minPositive: -1 },
      { overflow: 'wrap' },
      { type: 'float8' },
    ]) {
      expect(() => convertFloat16(original, options as ConvertFloat16Options)).toThrow(
        expect.objectContaining({ code: 'quantization_options_invalid' }),
      )
    }
  })
})
