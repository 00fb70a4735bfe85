// Jobs whose models are no classifiers of one label: from upload to report.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { float32Array, int64Array, npz, type TestArray } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { parseJobRequest } from '@pare/recipe'
import { createRandom } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { Report } from '../report/report.js'
import { pathOf, StageRunner } from './testing.js'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-metrics-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const SAMPLES = 24
const CLASSES = 3
const random = createRandom(11)
const normal = (count: number) => Float32Array.from({ length: count }, () => random.normal())
const kernel = normal(CLASSES * 9)
const image = normal(SAMPLES * 36)

/** A class per pixel, and whether the image is bright. */
function twoHeads(): Model {
  return model({ opset: 17 })
    .input('image', 'float32', ['n', 1, 6, 6])
    .floats('w', [CLASSES, 1, 3, 3], kernel)
    .node('Conv', ['image', 'w'], ['pixels'], { pads: [1, 1, 1, 1] })
    .node('ReduceMean', ['image'], ['bright'], { axes: [1, 2, 3], keepdims: 0 })
    .output('pixels', 'float32', ['n', CLASSES, 6, 6])
    .output('bright', 'float32', ['n'])
    .build()
}

/** Class 0 everywhere but in the last row, which is void. */
const masks = new Uint8Array(SAMPLES * 36).map((_, at) => (at % 36 >= 30 ? 255 : 0))
const isBright = Array.from({ length: SAMPLES }, (_, sample) =>
  Number(image.subarray(36 * sample, 36 * sample + 36).reduce((a, b) => a + b, 0) > 0),
)

const arrays = {
  image: float32Array([SAMPLES, 1, 6, 6], image),
  label: { dataType: 'uint8', dims: [SAMPLES, 6, 6], data: masks },
  bright: int64Array([SAMPLES], isBright),
} as const satisfies Record<string, TestArray>

async function runJob(request: object, data: Record<string, TestArray> = arrays) {
  const runner = new StageRunner(root)
  const folder = await mkdtemp(join(root, 'uploads-'))
  const [modelPath, dataPath] = [join(folder, 'model.onnx'), join(folder, 'data.npz')]
  await writeFile(modelPath, encodeModel(twoHeads()))
  await writeFile(dataPath, npz(data))
  const inspected = await runner.run('inspect_model', { model: modelPath })
  const dataset = await runner.run('inspect_dataset', { dataset: dataPath })
  const recipe = { steps: [{ type: 'convert_float16' }] }
  const plan = planJob(parseJobRequest({ model: 'mdl_1', recipe, ...request }), {
    model: {
      sha256: 'model',
      description: inspected.metrics as KnownModel['description'],
    },
    datasets: {
      validation: {
        sha256: 'data',
        description: dataset.metrics as KnownDataset['description'],
      },
    },
  })
  const blobs = { model: pathOf(inspected, 'canonical'), data: pathOf(dataset, 'canonical') }
  const results = await runner.runPlan(plan, blobs)
  const result = results.get('report')!
  return {
    report: JSON.parse(await readFile(pathOf(result, 'report'), 'utf8')) as Report,
    page: await readFile(pathOf(result, 'page'), 'utf8'),
    failure: result.failure,
  }
}

describe('a job', () => {
  it('judges pixels where the data has a class for each, without being told', async () => {
    const { report, page } = await runJob({})
    const { primary, metrics } = report.evaluation
    expect(primary).toMatchObject({ name: 'accuracy', output: 'pixels' })
    expect(metrics.accuracy?.original.total).toBe(SAMPLES * 30)
    expect(metrics.accuracy?.details).toEqual({ ignored_labels: SAMPLES * 6 })
    expect(Object.keys(metrics)).toEqual(['accuracy', 'miou', 'cross_entropy'])
    expect(report).not.toHaveProperty('metric_reason')
    expect(page).toContain('144 labels are marked as not to count.')
    expect(page).toMatch(/Mean IoU: [\d.]+ % →/)
    expect(page).not.toMatch(/NaN|undefined|\[object/)
  })

  it('judges each output by a metric and labels of its own, and holds the first to the limit', async () => {
    const outputs = [
      { output: 'bright', metric: 'auroc', labels: 'bright' },
      { output: 'pixels', metric: 'miou' },
    ]
    const constraints = { max_drop: 0.01 }
    const { report, page, failure } = await runJob({ evaluation: { outputs }, constraints })
    expect(failure).toBeUndefined()
    const { primary, metrics, also_judged } = report.evaluation
    expect(primary).toMatchObject({ name: 'auroc', output: 'bright', original: 1 })
    expect(metrics.f1?.original.value).toBe(1)
    expect(also_judged).toMatchObject([{ primary: { name: 'miou', output: 'pixels' } }])
    expect(report.constraints).toMatchObject([{ name: 'max_drop', measured: primary.drop }])
    expect(report.reproduce.request).toMatchObject({
      evaluation: { outputs: [outputs[0], { ...outputs[1], labels: 'label' }] },
    })
    expect(report.summary.rows.map(({ label }) => label)).toContain('mean IoU of pixels')
    expect(page).toMatch(/DeLong’s paired test gives p = /)
  })

  it('says why it compares with the original where no metric fits', async () => {
    // One class of three per sample: neither pixels nor a single score can say which.
    const classes = int64Array(
      [SAMPLES],
      Array.from(isBright, (bright, at) => (at === 0 ? 2 : bright)),
    )
    const { report, page } = await runJob({}, { image: arrays.image, label: classes })
    expect(report.evaluation.primary.name).toBe('fidelity')
    expect(report.metric_reason).toMatch(/top1 needs an output of shape .* rank 4/)
    expect(page).toMatch(/has rank 4: the result is compared with the\s+original/)
  })
})
