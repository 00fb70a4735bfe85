// Reports of real jobs for tests: small models, every stage, the real runtime.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { float32Array, int64Array, npz } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { parseJobRequest } from '@pare/recipe'
import { createRandom } from '@pare/tensor'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { StageResult } from '../stages/stage.js'
import { pathOf, StageRunner } from '../stages/testing.js'
import type { Report } from './report.js'

const SAMPLES = 48
const CLASSES = 8

/** A name that would be markup, ends attributes and turns the direction of what follows. */
export const HOSTILE_NAME = `"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202Eevil`

function normals(seed: number) {
  const random = createRandom(seed)
  return (count: number) => Float32Array.from({ length: count }, () => random.normal() / 4)
}

/** Two convolutions and a Gemm. */
function classifier(): Model {
  const normal = normals(1)
  return model()
    .input('image', 'float32', ['n', 3, 16, 16])
    .floats('w1', [16, 3, 3, 3], normal(432))
    .floats('w2', [32, 16, 3, 3], normal(4608))
    .floats('w3', [32, CLASSES], normal(32 * CLASSES))
    .node('Conv', ['image', 'w1'], ['c1'])
    .named(HOSTILE_NAME)
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], [`c2${HOSTILE_NAME}`])
    .node('Relu', [`c2${HOSTILE_NAME}`], ['r2'])
    .node('GlobalAveragePool', ['r2'], ['p'])
    .node('Flatten', ['p'], ['f'])
    .node('Gemm', ['f', 'w3'], ['logits'])
    .output('logits', 'float32', ['n', CLASSES])
    .build()
}

export interface ReportedJob {
  readonly report: Report
  readonly page: string
  readonly pagePath: string
  readonly result: StageResult
}

/** Runs a job on the classifier, in folders below `root`. */
export async function reportedJob(root: string, request: object): Promise<ReportedJob> {
  const runner = new StageRunner(root)
  const folder = await mkdtemp(join(root, 'uploads-'))
  const [modelPath, dataPath] = [join(folder, 'model.onnx'), join(folder, 'data.npz')]
  await writeFile(modelPath, encodeModel(classifier()))
  await writeFile(dataPath, data())
  const inspected = await runner.run('inspect_model', { model: modelPath })
  const dataset = await runner.run('inspect_dataset', { dataset: dataPath })
  const plan = planJob(parseJobRequest({ model: 'mdl_1', ...request }), {
    model: {
      sha256: 'model',
      description: inspected.metrics as KnownModel['description'],
    },
    datasets: {
      calibration: {
        sha256: 'data',
        description: dataset.metrics as KnownDataset['description'],
      },
    },
  })
  const blobs = { model: pathOf(inspected, 'canonical'), data: pathOf(dataset, 'canonical') }
  const result = (await runner.runPlan(plan, blobs)).get('report')!
  const pagePath = pathOf(result, 'page')
  return {
    report: JSON.parse(await readFile(pathOf(result, 'report'), 'utf8')) as Report,
    page: await readFile(pagePath, 'utf8'),
    pagePath,
    result,
  }
}

/** Noise, brighter or darker in each channel of each sample. */
function data(): Uint8Array {
  const normal = normals(2)
  const brightness = normal(SAMPLES * 3)
  const noise = normal(SAMPLES * 768)
  return npz({
    image: float32Array(
      [SAMPLES, 3, 16, 16],
      noise.map((value, at) => value + 8 * brightness[at >> 8]!),
    ),
    label: int64Array(
      [SAMPLES],
      Array.from({ length: SAMPLES }, (_, index) => index % CLASSES),
    ),
  })
}
