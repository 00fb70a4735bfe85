// Widening a float16 model must not change what it computes by more than float16 rounds: onnxruntime
// judges.
import { castFloats } from '@pare/datasets'
import { checkModel, type Model, walkGraphs } from '@pare/graph'
import { model, tensorValue } from '@pare/graph/testing'
import { prepareModel, type Tensors, widenFloat16 } from '@pare/passes'
import { type RuntimeTensor, tensorFromFloats, tensorFromInts, toFloat32 } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { openModel, randomFloats, runModel } from '../support/run-model.js'

const FLOAT16 = 10
const FLOAT32 = 1

function half(dims: readonly number[], seed: number) {
  return tensorFromFloats('float16', dims, randomFloats(dims, seed).data as Float32Array)
}

function halfFeed(dims: readonly number[], seed: number): RuntimeTensor {
  return castFloats(randomFloats(dims, seed), 'float16')
}

/** Values of a float16 or float32 tensor. */
function floats(tensor: RuntimeTensor): Float32Array {
  return castFloats(tensor, 'float32').data as Float32Array
}

/** Largest difference of an output relative to its largest value. */
async function difference(before: Model, after: Model, feeds: Tensors): Promise<number> {
  const [expected, actual] = [await runModel(before, feeds), await runModel(after, feeds)]
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  const differences = Object.entries(expected).map(([name, tensor]) => {
    expect(actual[name]).toMatchObject({ dataType: tensor.dataType, dims: tensor.dims })
    const [a, b] = [floats(tensor), floats(actual[name]!)]
    const largest = a.reduce((max, x) => Math.max(max, Math.abs(x)), 0)
    expect(largest).toBeGreaterThan(0)
    return a.reduce((max, x, i) => Math.max(max, Math.abs(x - b[i]!)), 0) / largest
  })
  return Math.max(...differences)
}

function widen(before: Model): Model {
  checkModel(before)
  const { model: after, modified, diagnostics } = widenFloat16().run(before)
  checkModel(after)
  expect(modified).toBe(true)
  expect(diagnostics).toMatchObject([{ severity: 'info', code: 'float16_widened' }])
  return after
}

/** float16 in inputs, outputs, weights, a Constant, and around a part that is float32 already. */
function halfModel(): Model {
  return model({ opset: 17 })
    .input('x', 'float16', ['n', 3, 6, 6])
    .initializer('w', half([4, 3, 3, 3], 1))
    .initializer('b', half([4], 2))
    .node('Conv', ['x', 'w', 'b'], ['c'])
    .node('Cast', ['c'], ['wide'], { to: FLOAT32 })
    .node('Softmax', ['wide'], ['s'], { axis: 1 })
    .node('Cast', ['s'], ['narrow'], { to: FLOAT16 })
    .node('Constant', [], ['k'], { value: half([1], 3) })
    .node('Mul', ['narrow', 'k'], ['y'])
    .node('Neg', ['y'], ['z'])
    .output('y', 'float16')
    .output('z', 'float16')
    .build()
}

function branch(output: string, seed: number) {
  return model()
    .initializer(`w${seed}`, half([4, 4], seed))
    .node('MatMul', ['x', `w${seed}`], [`m${seed}`])
    .node('Cast', [`m${seed}`], [`f${seed}`], { to: FLOAT32 })
    .node('Tanh', [`f${seed}`], [`t${seed}`])
    .node('Cast', [`t${seed}`], [output], { to: FLOAT16 })
    .output(output, 'float16')
    .graph()
}

const controlFlow: Readonly<Record<string, () => Model>> = {
  If: () =>
    model({ opset: 17 })
      .input('flag', 'bool', [1])
      .input('x', 'float16', [2, 4])
      .node('If', ['flag'], ['y'], { then_branch: branch('a', 5), else_branch: branch('b', 6) })
      .output('y', 'float16')
      .build(),
  Loop: () =>
    model({ opset: 17 })
      .input('flag', 'bool', [1])
      .input('x', 'float16', [2, 4])
      .initializer('times', tensorFromInts('int64', [], [3]))
      .initializer('w', half([4, 4], 7))
      .node('Loop', ['times', '', 'x'], ['y'], {
        body: model()
          .input('i', 'int64', [])
          .input('go', 'bool', [])
          .input('state', 'float16', [2, 4])
          .node('MatMul', ['state', 'w'], ['product'])
          .node('Tanh', ['product'], ['next'])
          .node('Identity', ['go'], ['on'])
          .output('on', 'bool', [])
          .output('next', 'float16', [2, 4])
          .graph(),
      })
      .output('y', 'float16')
      .build(),
}

const flag: RuntimeTensor = { dataType: 'bool', dims: [1], data: Uint8Array.of(1) }

describe('widenFloat16', () => {
  it('keeps what the model computes, and the types of its inputs and outputs', async () => {
    const before = halfModel()
    const after = widen(before)
    expect([after.graph.inputs, after.graph.outputs]).toEqual([
      before.graph.inputs,
      before.graph.outputs,
    ])
    expect(await difference(before, after, { x: halfFeed([2, 3, 6, 6], 4) })).toBeLessThan(2e-3)
  })

  it.each(Object.keys(controlFlow))('enters the bodies of %s', async (kind) => {
    const before = controlFlow[kind]!()
    const after = widen(before)
    for (const { initializers } of walkGraphs(after.graph)) {
      const types = [...initializers.values()].map(({ dataType }) => dataType)
      expect(types).not.toContain('float16')
    }
    const feeds = { flag, x: halfFeed([2, 4], 8) }
    expect(await difference(before, after, feeds)).toBeLessThan(2e-3)
  })

  it('holds every constant exactly', () => {
    const before = halfModel()
    const [w] = [before.graph.initializers.get('w')!]
    expect(toFloat32(widen(before).graph.initializers.get('w')!)).toEqual(toFloat32(w))
  })

  it('leaves a float32 model as it is', () => {
    const plain = model().input('x').node('Relu', ['x'], ['y']).output('y').build()
    expect(widenFloat16().run(plain)).toEqual({ model: plain, modified: false, diagnostics: [] })
  })

  it('refuses a sequence of float16 at the border, and says so', () => {
    const before = model()
      .input('x', 'float16', [2])
      .node('SequenceConstruct', ['x'], ['y'])
      .build()
    const element = tensorValue('y', 'float16').type!
    const outputs = [{ name: 'y', metadataProps: [], type: { kind: 'sequence' as const, element } }]
    const sequence = { ...before, graph: { ...before.graph, outputs } }
    expect(widenFloat16().run(sequence)).toMatchObject({
      modified: false,
      diagnostics: [{ severity: 'warning', code: 'float16_not_widened' }],
    })
  })

  it('reads constants from their file, and refuses where that is not at hand', () => {
    const before = halfModel()
    const { bytes } = before.graph.initializers.get('w')!.data as { bytes: Uint8Array }
    const outside = (read?: (start: number, end: number) => Uint8Array): Model => {
      const where = { location: 'weights', offset: 0, length: bytes.length }
      const data = { kind: 'external' as const, ...where, ...(read === undefined ? {} : { read }) }
      const w = { ...before.graph.initializers.get('w')!, data }
      const initializers = new Map([...before.graph.initializers, ['w', w]])
      return { ...before, graph: { ...before.graph, initializers } }
    }
    const read = outside((start, end) => bytes.subarray(start, end))
    expect(widen(read).graph.initializers.get('w')).toEqual(
      widen(before).graph.initializers.get('w'),
    )
    expect(widenFloat16().run(outside())).toMatchObject({
      modified: false,
      diagnostics: [{ code: 'float16_not_widened' }],
    })
  })

  it('lets preparing drop the Casts that became needless', async () => {
    const before = halfModel()
    const feeds = { x: halfFeed([2, 3, 6, 6], 4) }
    const prepared = await prepareModel(before, { open: openModel, feeds, widenFloat16: true })
    checkModel(prepared.model)
    const casts = prepared.model.graph.nodes.filter(({ opType }) => opType === 'Cast')
    expect(casts).toHaveLength(3)
    expect(await difference(before, prepared.model, feeds)).toBeLessThan(2e-3)
  })
})
