import type { DatasetDescription } from '@pare/datasets'
import { CodedError } from '@pare/errors'
import type { RequestFault } from '@pare/recipe'
import { describe, expect, it } from 'vitest'

import { type AskedMetrics, chooseMetric, judgedOutputs, reportedMetric } from './choose-metric.js'
import type { ValueSummary } from './model-description.js'

type Labels = DatasetDescription['labels']
type Shape = ValueSummary['shape']

const perSample = (max: number, min = 0) => ({ kind: 'classes', name: 'label', min, max }) as const
const places = (max: number, min = 0) => ({ kind: 'places', name: 'label', min, max }) as const
const targets = { kind: 'targets', name: 'label' } as const

interface Case {
  readonly shape?: Shape
  readonly dataType?: string
  readonly labels: Labels
  readonly dims?: readonly number[]
  readonly labelType?: 'int64' | 'uint8' | 'float32'
}

function choose(evaluation: AskedMetrics, one: Case) {
  const { shape, dataType = 'float32', labels, dims = [8], labelType = 'int64' } = one
  const label = { name: 'label', dataType: labelType, dims }
  return chooseMetric(evaluation, {
    outputs: [
      { name: 'y', data_type: dataType, ...(shape === undefined ? {} : { shape }) },
      { name: 'z', data_type: 'float32', shape: ['n', 2] },
    ],
    dataset: dataset(
      [
        { name: 'binary', dataType: 'int64', dims: [8] },
        { name: 'image', dataType: 'float32', dims: [8, 3] },
        ...(labels === null ? [] : [label]),
      ],
      labels,
    ),
    role: 'validation',
  })
}

function dataset(arrays: DatasetDescription['arrays'], labels: Labels) {
  return { sha256: 'd', description: { arrays, samples: 8, labels, checks: [] } }
}

function faultOf(evaluation: AskedMetrics, one: Case): RequestFault | undefined {
  try {
    choose(evaluation, one)
  } catch (error) {
    if (error instanceof CodedError) return (error.details['errors'] as RequestFault[])[0]
    throw error
  }
  return undefined
}

const TEXT: Case = { shape: ['n', 's', 96], labels: places(95), dims: [8, 64] }
const MASK: Case = { shape: ['n', 11, 32, 32], labels: places(10), dims: [8, 32, 32] }

describe('the metric that nobody asked for', () => {
  it.each<[string, string, Case]>([
    ['top1', 'one class per sample', { shape: ['n', 10], labels: perSample(9) }],
    ['top1', 'an output of unknown shape', { labels: perSample(9) }],
    ['accuracy', 'a class per position', TEXT],
    ['accuracy', 'positions that are not to count', { ...TEXT, labels: places(95, -100) }],
    ['accuracy', 'a class per pixel', MASK],
    ['accuracy', 'channels last', { ...MASK, shape: ['n', 32, 32, 11] }],
    ['accuracy', 'a mask with a channel', { ...MASK, dims: [8, 1, 32, 32] }],
    ['accuracy', 'a mask with void', { ...MASK, labels: places(255), labelType: 'uint8' }],
    ['accuracy', 'sizes that are not known', { ...MASK, shape: [null, 'c', 'h', 'w'] }],
    ['auroc', 'one score for two classes', { shape: ['n', 1], labels: perSample(1) }],
    ['auroc', 'a list of scores', { shape: ['n'], labels: perSample(1) }],
  ])('is %s for %s', (metric, _, one) => {
    expect(choose({}, one)).toEqual({ metric, labels: 'label', also: [] })
  })

  it.each<[RegExp, string, Case]>([
    [/no labels/, 'no labels', { shape: ['n', 10], labels: null }],
    [/mse or mae/, 'targets', { shape: ['n', 1], labels: targets, labelType: 'float32' }],
    [/rank 3/, 'boxes', { shape: ['n', 100, 4], labels: perSample(9) }],
    [/has one/, 'one score for many classes', { shape: ['n', 1], labels: perSample(9) }],
    [
      /is int64/,
      'classes that are chosen already',
      { shape: ['n', 10], dataType: 'int64', labels: perSample(9) },
    ],
    [/10 classes/, 'labels beyond the classes', { shape: ['n', 10], labels: perSample(10) }],
    [/one axis of classes/, 'a mask of another size', { ...MASK, dims: [8, 16, 16] }],
    [/11 classes/, 'pixels beyond the classes', { ...MASK, labels: places(11) }],
    [/not known/, 'places of an unknown shape', { labels: places(3), dims: [8, 5] }],
  ])('is fidelity and says "%s" for %s', (reason, _, one) => {
    expect(choose({}, one)).toMatchObject({
      metric: 'fidelity',
      reason: expect.stringMatching(reason) as string,
    })
  })
})

describe('the metric asked for', () => {
  it.each<[AskedMetrics['metric'], Case]>([
    ['top5', { shape: ['n', 10], labels: perSample(9) }],
    ['accuracy', { shape: ['n', 10], labels: perSample(9) }],
    ['perplexity', TEXT],
    ['miou', MASK],
    ['f1', { shape: ['n', 2], labels: perSample(1) }],
    ['mae', { shape: ['n', 3], labels: targets, dims: [8, 3] }],
    ['mse', { shape: ['n', 1], labels: perSample(9) }],
    ['fidelity', { shape: ['n', 10], labels: null }],
  ])('is %s where it fits, without a reason', (metric, one) => {
    const choice = choose(metric === undefined ? {} : { metric }, one)
    expect(choice.metric).toBe(metric)
    expect(choice).not.toHaveProperty('reason')
  })

  it.each<[NonNullable<AskedMetrics['metric']>, Case, string, RegExp]>([
    ['top1', { shape: ['n', 10], labels: null }, 'labels_missing', /use "fidelity"/],
    ['top1', TEXT, 'metric_unsuitable', /rank 3; use "accuracy" or /],
    [
      'top1',
      { shape: ['n', 10], labels: places(3), dims: [8, 2] },
      'dataset_labels_not_classes',
      /per sample/,
    ],
    ['top5', { shape: ['n', 9], labels: perSample(9) }, 'dataset_labels_out_of_range', /9 classes/],
    ['miou', { ...MASK, labels: targets }, 'dataset_labels_not_classes', /integers/],
    ['auroc', { shape: ['n', 1], labels: perSample(2) }, 'dataset_labels_not_classes', /0 or 1/],
    ['f1', { shape: ['n', 1], labels: perSample(1, 1) }, 'metric_unsuitable', /both classes/],
    ['f1', { shape: ['n', 3], labels: perSample(1) }, 'metric_unsuitable', /has 3/],
    ['mae', { shape: ['n', 3], labels: targets, dims: [8, 4] }, 'metric_unsuitable', /per element/],
  ])('is refused where it does not fit: %s', (metric, one, code, detail) => {
    expect(faultOf({ metric }, one)).toMatchObject({
      pointer: '#/evaluation/metric',
      code,
      detail: expect.stringMatching(detail) as string,
    })
  })
})

describe('the output that nobody named', () => {
  const judgeable = (outputs: readonly (readonly [string, Shape])[], max = 4) => ({
    outputs: outputs.map(([name, shape]) => ({
      ...{ name, data_type: 'float32' },
      ...(shape === undefined ? {} : { shape }),
    })),
    dataset: dataset([{ name: 'label', dataType: 'int64', dims: [8] }], perSample(max)),
    role: 'validation' as const,
  })
  const FEATURES = ['features', ['n', 32]] as const
  const SCORES = ['scores', ['n', 5]] as const
  const BOXES = ['boxes', ['n', 100, 4]] as const

  it.each<[string, string, readonly (readonly [string, Shape])[]]>([
    ['scores', 'features', [FEATURES, SCORES]],
    ['scores', 'boxes', [BOXES, SCORES]],
    ['scores', 'something of unknown shape', [['any', undefined], SCORES]],
  ])('is the one with the classes of the labels: %s behind %s', (name, _, outputs) => {
    const expected = { metric: 'top1', output: name, labels: 'label', also: [] }
    expect(chooseMetric({}, judgeable(outputs))).toEqual(expected)
  })

  it('is judged by a metric that was asked for, if that fits the first, else it is proposed', () => {
    const asked = { metric: 'top1' } as const
    expect(chooseMetric(asked, judgeable([FEATURES, SCORES]))).toMatchObject({ output: 'scores' })
    const choosing = () => chooseMetric(asked, judgeable([BOXES, SCORES]))
    expect(choosing).toThrow(/evaluation\/metric.*or output "scores"/)
  })

  it('is the first of those that are alike, and without a name then', () => {
    const outputs = [SCORES, ['auxiliary', ['n', 5]]] as const
    for (const max of [4, 3]) {
      const expected = { metric: 'top1', labels: 'label', also: [] }
      expect(chooseMetric({}, judgeable(outputs, max))).toEqual(expected)
    }
    expect(chooseMetric({ metric: 'fidelity' }, judgeable([FEATURES, SCORES]))).not.toHaveProperty(
      'output',
    )
  })

  it('is asked for where the number of classes does not tell', () => {
    const choosing = () => chooseMetric({}, judgeable([FEATURES, SCORES], 3))
    expect(choosing).toThrow(/evaluation\/output.*"features" or "scores"/)
    const named = chooseMetric({ output: 'scores' }, judgeable([FEATURES, SCORES], 3))
    expect(named).toMatchObject({ metric: 'top1', output: 'scores' })
  })
})

describe('several outputs', () => {
  const one: Case = { shape: ['n', 10], labels: perSample(9) }
  const outputs = [{ output: 'y' }, { output: 'z', metric: 'auroc', labels: 'binary' }] as const

  it('have a metric each, and constraints look at the first unless told otherwise', () => {
    const first = choose({ outputs }, one)
    expect(first).toMatchObject({ metric: 'top1', output: 'y', labels: 'label' })
    expect(first.also).toEqual([{ metric: 'auroc', output: 'z', labels: 'binary' }])
    const second = choose({ outputs, output: 'z' }, one)
    expect(second).toMatchObject({ metric: 'auroc', output: 'z', labels: 'binary' })
    expect(second.also).toMatchObject([{ metric: 'top1', output: 'y' }])
  })

  it('are told to the stages, and in the report so that the same can be asked for again', () => {
    const choice = choose({ outputs }, one)
    const target = { device: 'cpu', isa: 'auto', threads: 2 } as const
    expect(judgedOutputs(choice, target)).toEqual({
      ...{ metric: 'top1', output: 'y', labels: 'label', device: 'cpu', threads: 2 },
      also: [{ output: 'z', metric: 'auroc', labels: 'binary' }],
    })
    const { outputs: reported } = reportedMetric(choice) as { outputs?: typeof outputs }
    expect(choose({ outputs: reported! }, one)).toEqual(choice)
  })

  it('leave no room for a metric of all, nor for another output', () => {
    expect(faultOf({ outputs, metric: 'top1' }, one)?.pointer).toBe('#/evaluation/metric')
    expect(faultOf({ outputs, output: 'w' }, one)?.pointer).toBe('#/evaluation/output')
  })

  it('are refused where they or their labels are not there', () => {
    expect(faultOf({ outputs: [{ output: 'y' }, { output: 'w' }] }, one)?.pointer).toBe(
      '#/evaluation/outputs/1/output',
    )
    expect(faultOf({ outputs: [{ output: 'y', labels: 'truth' }] }, one)).toMatchObject({
      pointer: '#/evaluation/outputs/0/labels',
      detail: expect.stringContaining('binary, image, label') as string,
    })
    expect(
      faultOf({ outputs: [{ output: 'z', metric: 'accuracy', labels: 'image' }] }, one),
    ).toMatchObject({
      pointer: '#/evaluation/outputs/0/metric',
      code: 'dataset_labels_not_classes',
    })
  })
})
