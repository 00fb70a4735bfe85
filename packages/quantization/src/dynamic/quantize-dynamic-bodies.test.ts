// Dynamic quantization inside bodies of If, Loop and Scan.
import { checkModel, type Graph, type Model, subgraphsOf } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { decodeModel, encodeModel } from '@pare/onnx'
import { type RuntimeTensor, tensorFromFloat32, tensorFromInts } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { optimize, randomTensor, randomValues, runModel, sqnr } from '../testing.js'
import { quantizeDynamic } from './quantize-dynamic.js'

const HIDDEN = 16

/** Convolution, LSTM and a MatMul over frames of `width` samples, as in a voice activity detector. */
function detector(rate: string, width: number): Graph {
  const n = (name: string) => `${name}_${rate}`
  return model()
    .floats(n('kernel'), [HIDDEN, width, 3], randomValues(HIDDEN * width * 3, width, 0.1))
    .floats(n('kernelBias'), [HIDDEN], randomValues(HIDDEN, 2, 0.1))
    .floats(n('r'), [1, 4 * HIDDEN, HIDDEN], randomValues(64 * HIDDEN, width + 1, 0.3))
    .node('Constant', [], [n('w')], {
      value: tensorFromFloat32([1, 4 * HIDDEN, HIDDEN], randomValues(64 * HIDDEN, width + 2, 0.3)),
    })
    .node('Slice', ['frames', 'start', n('end'), 'axis'], [n('cut')])
    .node('Conv', [n('cut'), n('kernel'), n('kernelBias')], [n('features')], { pads: [1, 1] })
    .node('Relu', [n('features')], [n('relu')])
    .node('Transpose', [n('relu')], [n('steps')], { perm: [2, 0, 1] })
    .node('LSTM', [n('steps'), n('w'), n('r')], ['', n('state')], { hidden_size: HIDDEN })
    .node('MatMul', [n('state'), 'head'], [n('logit')])
    .node('Sigmoid', [n('logit')], [n('speech')])
    .initializer(n('end'), tensorFromInts('int64', [1], [width]))
    .output(n('speech'))
    .graph()
}

/** One network for 8 and one for 16 kHz, in the branches of an If; the head is outside of both. */
function voiceActivity(): Model {
  return model({ opset: 17 })
    .input('frames', 'float32', ['n', 8, 'time'])
    .input('rate', 'int64', [])
    .initializer('start', tensorFromInts('int64', [1], [0]))
    .initializer('axis', tensorFromInts('int64', [1], [1]))
    .initializer('wide', tensorFromInts('int64', [], [16000]))
    .floats('head', [HIDDEN, 2], randomValues(HIDDEN * 2, 7))
    .node('Equal', ['rate', 'wide'], ['is16'])
    .node('If', ['is16'], ['y'], {
      then_branch: detector('16', 8),
      else_branch: detector('8', 4),
    })
    .output('y')
    .build()
}

function feeds(rate: number): Readonly<Record<string, RuntimeTensor>> {
  return {
    frames: randomTensor([2, 8, 9], 3),
    rate: { dataType: 'int64', dims: [], data: BigInt64Array.of(BigInt(rate)) },
  }
}

function bodyTypes({ graph }: Model): readonly (readonly string[])[] {
  const node = graph.nodes.find((candidate) => subgraphsOf(candidate).length > 0)!
  return subgraphsOf(node).map(({ nodes }) => nodes.map(({ opType }) => opType))
}

describe('quantizeDynamic in bodies', () => {
  it.each([8000, 16000])('quantizes both networks of a detector: %i Hz', async (rate) => {
    const built = voiceActivity()
    checkModel(built)
    const { model: quantized, layers } = quantizeDynamic(built, {
      opTypesToQuantize: ['Conv', 'LSTM', 'MatMul'],
    })
    checkModel(quantized)
    expect(layers.filter(({ decision }) => decision === 'integer')).toHaveLength(6)
    for (const types of bodyTypes(quantized)) {
      expect(types).toEqual(
        expect.arrayContaining(['ConvInteger', 'DynamicQuantizeLSTM', 'MatMulInteger']),
      )
      expect(types).not.toContain('Constant')
    }
    const [before, after] = [
      await runModel(built, feeds(rate)),
      await runModel(quantized, feeds(rate)),
    ]
    expect(sqnr(before['y']!, after['y']!)).toBeGreaterThan(30)
  })

  it('declares the types behind operators that standard tools do not know', () => {
    const { graph } = quantizeDynamic(voiceActivity()).model
    for (const { nodes, valueInfo } of subgraphsOf(graph.nodes.at(-1)!)) {
      const lstm = nodes.find(({ domain }) => domain === 'com.microsoft')!
      const type = { kind: 'tensor', elementType: 'float32' }
      expect(valueInfo).toContainEqual({ name: lstm.outputs[1], type, metadataProps: [] })
    }
  })

  it('writes a weight that branches share once, into the main graph', () => {
    const { graph } = quantizeDynamic(voiceActivity()).model
    const shapes = [...graph.initializers.values()].map(
      ({ dataType, dims }) => `${dataType} ${dims.join()}`,
    )
    expect(shapes.filter((shape) => shape === `int8 ${HIDDEN},2`)).toHaveLength(1)
    expect(graph.initializers.has('head')).toBe(false)
  })

  it('leaves the bodies of other operators alone, and says so', () => {
    const body = model()
      .input('one', 'float32', [2, 8])
      .floats('v', [8, 8], randomValues(64, 2))
      .node('MatMul', ['one', 'v'], ['product'])
      .output('product', 'float32', [2, 8])
      .graph()
    const built = model({ opset: 17 })
      .input('x', 'float32', [2, 8])
      .floats('w', [8, 8], randomValues(64, 1))
      .node('MatMul', ['x', 'w'], ['y'])
      .node('SequenceConstruct', ['y'], ['all'])
      .node('SequenceMap', ['all'], ['mapped'], { body })
      .node('SequenceLength', ['mapped'], ['n'])
      .output('y', 'float32', [2, 8])
      .output('n', 'int64', [])
      .build()
    const { model: quantized, diagnostics } = quantizeDynamic(built)
    checkModel(quantized)
    expect(diagnostics).toMatchObject([{ code: 'subgraph_skipped', opType: 'SequenceMap' }])
    expect(bodyTypes(quantized)).toEqual([['MatMul']])
  })

  it('is fused by onnxruntime inside the bodies too', async () => {
    const { model: quantized } = quantizeDynamic(voiceActivity())
    const optimized = decodeModel(await optimize(encodeModel(quantized)))
    for (const types of bodyTypes(optimized)) {
      expect(types).toEqual(
        expect.arrayContaining(['DynamicQuantizeLSTM', 'DynamicQuantizeMatMul']),
      )
    }
  })

  it('enters the body of a Loop in a branch, and leaves no name twice', async () => {
    const loop = (name: string) =>
      model()
        .input(`i${name}`, 'int64', [])
        .input(`go${name}`, 'bool', [])
        .input(`s${name}`, 'float32', [2, 8])
        .floats(`w${name}`, [8, 8], randomValues(64, 3, 0.4))
        .node('MatMul', [`s${name}`, `w${name}`], [`m${name}`])
        .node('Tanh', [`m${name}`], [`t${name}`])
        .node('Identity', [`go${name}`], [`on${name}`])
        .output(`on${name}`, 'bool', [])
        .output(`t${name}`, 'float32', [2, 8])
        .graph()
    const branch = (name: string) =>
      model()
        .node('Loop', ['times', '', 'x'], [`l${name}`], { body: loop(name) })
        .output(`l${name}`, 'float32', [2, 8])
        .graph()
    const built = model({ opset: 17 })
      .input('x', 'float32', [2, 8])
      .input('flag', 'bool', [])
      .initializer('times', tensorFromInts('int64', [], [3]))
      .node('If', ['flag'], ['y'], { then_branch: branch('a'), else_branch: branch('b') })
      .output('y', 'float32', [2, 8])
      .build()
    const { model: quantized, layers } = quantizeDynamic(built)
    checkModel(quantized)
    expect(layers.map(({ decision }) => decision)).toEqual(['integer', 'integer'])
    const x = randomTensor([2, 8], 5)
    const flag: RuntimeTensor = { dataType: 'bool', dims: [], data: Uint8Array.of(0) }
    const [a, b] = [await runModel(built, { x, flag }), await runModel(quantized, { x, flag })]
    expect(sqnr(a['y']!, b['y']!)).toBeGreaterThan(25)
  })
})
