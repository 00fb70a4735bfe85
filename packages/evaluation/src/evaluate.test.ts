import { bytesAccess, openDataset } from '@pare/datasets'
import { float32Array, int64Array, npz, type TestArray } from '@pare/datasets/testing'
import { attr, type Model } from '@pare/graph'
import { model, type ShapeSpec } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { createRandom, tensorFromFloats } from '@pare/tensor'
import { describe, expect, it } from 'vitest'

import { evaluate } from './evaluate.js'
import { type EvaluateOptions, judgedBatchSize, type Setting } from './setting.js'

const CLASSES = 8
const random = createRandom(7)
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const weight = normal(4 * CLASSES)

/** logits = x · w, and a second output that holds no scores. */
function classifier(w: Float32Array, batch: ShapeSpec[number] = 'n'): Model {
  return model()
    .input('x', 'float32', [batch, 4])
    .floats('w', [4, CLASSES], w)
    .node('MatMul', ['x', 'w'], ['logits'])
    .node('ReduceMax', ['x'], ['largest'], { keepdims: 0 })
    .output('logits', 'float32', [batch, CLASSES])
    .output('largest', 'float32', [])
    .build()
}

/** As `classifier`, its second output one number per sample: the largest input. */
function perSample(w: Float32Array, batch: ShapeSpec[number]): Model {
  return model({ opset: 17 })
    .input('x', 'float32', [batch, 4])
    .floats('w', [4, CLASSES], w)
    .node('MatMul', ['x', 'w'], ['logits'])
    .node('ReduceMax', ['x'], ['largest'], { keepdims: 0, axes: attr.ints([1]) })
    .output('logits', 'float32', [batch, CLASSES])
    .output('largest', 'float32', [batch])
    .build()
}

const NOWHERE = { output: 'largest', metric: 'mse', labels: 'nowhere' } as const

const SAMPLES = 50
const x = normal(SAMPLES * 4)
const labels = Array.from({ length: SAMPLES }, (_, index) => index % CLASSES)

function run(overrides: Partial<EvaluateOptions>, arrays?: Record<string, TestArray>) {
  const data = arrays ?? { x: float32Array([SAMPLES, 4], x), label: int64Array([SAMPLES], labels) }
  return openDataset(bytesAccess(npz(data))).then((dataset) =>
    evaluate({
      runtime: onnxRuntime(),
      original: encodeModel(classifier(weight)),
      result: encodeModel(classifier(weight)),
      dataset,
      metric: 'top1',
      target: { device: 'cpu', threads: 1 },
      latency: { budgetMs: 5, maxRounds: 7 },
      ...overrides,
    }),
  )
}

/** Index of the greatest logit of each sample, computed here. */
function predictions(w: Float32Array): number[] {
  return Array.from({ length: SAMPLES }, (_, row) => {
    const logits = Array.from({ length: CLASSES }, (__, column) =>
      [0, 1, 2, 3].reduce((sum, k) => sum + x[row * 4 + k]! * w[k * CLASSES + column]!, 0),
    )
    return logits.indexOf(Math.max(...logits))
  })
}

describe('evaluate', () => {
  it('finds a model equal to itself', async () => {
    const report = await run({})
    expect(report.primary).toMatchObject({ name: 'top1', output: 'logits', drop: 0 })
    expect(report.fidelity).toMatchObject({ identical: true, non_finite: 0 })
    expect(report.fidelity.outputs['logits']?.agreement).toBe(1)
    expect(report.ratios).toMatchObject({ size: 1, parameters: 1, macs: 1, memory: null })
    expect(report.original).toMatchObject({ macs: 4 * CLASSES, parameters: 4 * CLASSES, nodes: 2 })
    expect(report.samples).toBe(SAMPLES)
    expect(report.environment.runtime.name).toBe('onnxruntime')
  })

  it('judges models that are not in memory together as it judges others', async () => {
    const result = encodeModel(classifier(normal(4 * CLASSES)))
    const [together, apart] = [await run({ result }), await run({ result, maxBytesTogether: 0 })]
    expect(apart.primary).toEqual(together.primary)
    expect(apart.metrics).toEqual(together.metrics)
    expect(apart.latency.rounds).toBe(7)
    expect(apart.original.latency.runs).toBe(apart.result.latency.runs)
  })

  it('counts what each model gets right, sample by sample', async () => {
    const other = normal(4 * CLASSES)
    const report = await run({ result: encodeModel(classifier(other)) })
    const [first, second] = [predictions(weight), predictions(other)]
    const right = (all: number[]) => all.filter((value, row) => value === labels[row]).length
    const { top1 } = report.metrics
    expect(top1?.original).toMatchObject({ correct: right(first), total: SAMPLES })
    expect(top1?.result.correct).toBe(right(second))
    expect(top1?.only_original_right).toBe(
      first.filter((value, row) => value === labels[row] && second[row] !== labels[row]).length,
    )
    expect(report.primary.drop).toBeCloseTo((right(first) - right(second)) / SAMPLES, 12)
    expect(report.fidelity.outputs['logits']?.agreement).toBe(
      first.filter((value, row) => value === second[row]).length / SAMPLES,
    )
    expect(report.metrics.top5).toBeDefined()
  })

  it('does not depend on the batch size of the model, whose last batch may not be full', async () => {
    const other = encodeModel(classifier(normal(4 * CLASSES)))
    const whole = await run({ result: other })
    // 50 samples in batches of 16: two of the last batch count, fourteen are padding.
    const fixedWeights = await run({
      original: encodeModel(classifier(weight, 16)),
      result: encodeModel(classifier(weight, 16)),
    })
    expect(fixedWeights.batch_size).toBe(16)
    expect(fixedWeights.samples).toBe(SAMPLES)
    expect(fixedWeights.metrics.top1?.original).toEqual(whole.metrics.top1?.original)
    expect(fixedWeights.original.macs).toBe(4 * CLASSES)
  })

  it('works without labels', async () => {
    const report = await run({ metric: 'fidelity' }, { x: float32Array([SAMPLES, 4], x) })
    expect(report.metrics).toEqual({})
    expect(report.primary).toEqual({
      name: 'fidelity',
      output: 'logits',
      original: 1,
      result: 1,
      drop: 0,
      drop_interval: { low: 0, high: expect.closeTo(0.0713, 4) as number },
    })
  })

  it('measures the squared error against targets', async () => {
    const targets = float32Array([SAMPLES, CLASSES], new Float32Array(SAMPLES * CLASSES))
    const halved = encodeModel(classifier(weight.map((value) => value / 2)))
    const report = await run(
      { metric: 'mse', result: halved },
      { x: float32Array([SAMPLES, 4], x), label: targets },
    )
    const { mse } = report.metrics
    expect(mse?.result.value).toBeCloseTo(mse!.original.value / 4, 5)
    expect(report.primary.drop).toBeCloseTo(-0.75, 5)
  })

  it('evaluates on the first samples when told to', async () => {
    expect((await run({ samples: 7 })).metrics.top1?.original.total).toBe(7)
  })

  it('feeds a result that takes float16 with float16, and compares its outputs as numbers', async () => {
    const half = model()
      .input('x', 'float16', ['n', 4])
      .initializer('w', tensorFromFloats('float16', [4, CLASSES], weight))
      .node('MatMul', ['x', 'w'], ['logits'])
      .node('ReduceMax', ['x'], ['largest'], { keepdims: 0 })
      .output('logits', 'float16', ['n', CLASSES])
      .output('largest', 'float16', [])
      .build()
    const layers = { prepared: encodeModel(classifier(weight)) }
    const report = await run({ result: encodeModel(half), layers })
    expect(report.primary.drop).toBeLessThanOrEqual(1 / SAMPLES)
    expect(report.layers.map(({ tensor }) => tensor)).toContain('logits')
    const [logits] = report.layers.filter(({ tensor }) => tensor === 'logits')
    expect(logits!.sqnr_db).toBeGreaterThan(50)
  })

  it('counts an LSTM that quantizes its inputs among them', () => {
    const result = model({ domains: { 'com.microsoft': 1 } })
      .input('x')
      .node('com.microsoft::DynamicQuantizeLSTM', ['x'], ['y'])
      .output('y')
      .build()
    const setting = { fixedBatchSize: null, models: { result }, options: { target: {} } }
    expect(judgedBatchSize(setting as unknown as Setting)).toBe(1)
  })

  it('judges models that quantize at run time as they will be served', async () => {
    const dynamic = model({ opset: 17 })
      .input('x', 'float32', ['n', 4])
      .floats('w', [4, CLASSES], weight)
      .node('DynamicQuantizeLinear', ['x'], ['q', 's', 'z'])
      .node('DequantizeLinear', ['q', 's', 'z'], ['d'])
      .node('MatMul', ['d', 'w'], ['logits'])
      .node('ReduceMax', ['x'], ['largest'], { keepdims: 0 })
      .output('logits', 'float32', ['n', CLASSES])
      .output('largest', 'float32', [])
      .build()
    const report = await run({
      result: encodeModel(dynamic),
      metric: 'fidelity',
      target: { device: 'cpu', threads: 1, batchSize: 2 },
    })
    expect(report.batch_size).toBe(2)
    expect(report.latency.batch_size).toBe(2)
  })

  it('compares layers with the float model that the result was made from', async () => {
    const original = encodeModel(classifier(weight))
    const result = encodeModel(classifier(weight.map((value) => Math.round(value * 4) / 4)))
    const { layers } = await run({ result, layers: { prepared: original } })
    expect(layers.map(({ tensor, identical }) => [tensor, identical])).toEqual([
      ['logits', false],
      ['largest', true],
    ])
  })

  it('asks for memory with what the target serves', async () => {
    const asked: unknown[] = []
    const { ratios } = await run({
      target: { device: 'cpu', threads: 1, batchSize: 4 },
      measureMemory: ({ model: which, batchSize, inputs, session }) => {
        asked.push({ which, batchSize, inputs, threads: session.intraOpThreads })
        const increase = which === 'original' ? 200 : 100
        return Promise.resolve({ increase_bytes: increase, peak_bytes: 1000 })
      },
    })
    const inputs = [{ input: 'x', array: 'x' }]
    expect(asked).toEqual([
      { which: 'original', batchSize: 4, inputs, threads: 1 },
      { which: 'result', batchSize: 4, inputs, threads: 1 },
    ])
    expect(ratios.memory).toBe(0.5)
  })

  it('judges further outputs by labels of their own, whatever the batch', async () => {
    const data = {
      x: float32Array([SAMPLES, 4], x),
      label: int64Array([SAMPLES], labels),
      truth: float32Array(
        [SAMPLES],
        Array.from({ length: SAMPLES }, (_, row) => Math.max(...x.subarray(4 * row, 4 * row + 4))),
      ),
    }
    const also = [
      { output: 'largest', metric: 'mae', labels: 'truth' },
      { output: 'logits', metric: 'fidelity' },
    ] as const
    for (const batch of ['n', 16]) {
      const both = encodeModel(perSample(weight, batch))
      const report = await run({ original: both, result: both, also }, data)
      expect(report.primary).toMatchObject({ name: 'top1', output: 'logits' })
      expect(Object.keys(report.metrics)).toEqual(['top1', 'top5'])
      expect(report.also_judged).toMatchObject([
        { labels: 'truth', primary: { name: 'mae', output: 'largest', original: 0 } },
        { primary: { name: 'fidelity', result: 1 }, metrics: { top1: {} } },
      ])
    }
  })

  it('judges what there is to judge by, or says that there is nothing', async () => {
    const ignored = int64Array([SAMPLES, 1], Array<number>(SAMPLES).fill(-100))
    const data = { x: float32Array([SAMPLES, 4], x), label: ignored }
    await expect(run({ metric: 'accuracy' }, data)).rejects.toMatchObject({
      code: 'metric_undefined',
    })
  })

  it.each<[string, Partial<EvaluateOptions>, string]>([
    ['labels that are not there', { also: [NOWHERE] }, 'evaluation_labels_missing'],
    ['an output that the model lacks', { output: 'nothing' }, 'output_unknown'],
    ['an output that is not scores', { output: 'largest' }, 'outputs_not_scores'],
    ['targets of another shape', { metric: 'mse' }, 'outputs_not_targets'],
  ])('refuses %s', async (_, overrides, code) => {
    await expect(run(overrides)).rejects.toMatchObject({ code })
  })

  it('refuses data that does not fit, labels that are missing, and results that differ', async () => {
    const fewer = { x: float32Array([2, 3], [1, 2, 3, 4, 5, 6]) }
    await expect(run({}, fewer)).rejects.toMatchObject({ code: 'dataset_shape_mismatch' })
    const unlabelled = { x: float32Array([SAMPLES, 4], x) }
    await expect(run({}, unlabelled)).rejects.toMatchObject({ code: 'evaluation_labels_missing' })
    const renamed = model()
      .input('x', 'float32', ['n', 4])
      .node('Softmax', ['x'], ['scores'], { axis: attr.int(-1) })
      .output('scores', 'float32', ['n', 4])
      .build()
    await expect(run({ result: encodeModel(renamed) })).rejects.toMatchObject({
      code: 'outputs_differ',
    })
  })

  it('gives the same report twice, but for what is measured by the clock', async () => {
    const result = encodeModel(classifier(weight.map((value) => value + 0.01)))
    const timeless = async () => {
      const report = await run({ result })
      const { primary, metrics, fidelity, samples, environment } = report
      const sizes = [report.original.size, report.result.size]
      return { primary, metrics, fidelity, samples, environment, sizes }
    }
    expect(await timeless()).toEqual(await timeless())
  })
})
