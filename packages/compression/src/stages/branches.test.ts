// Models whose layers are in branches of If, as voice activity detectors choose by the sample rate: through
// all stages of a job, on the real runtime.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { CalibrationStatistics } from '@pare/calibration'
import { float32Array, npz } from '@pare/datasets/testing'
import { checkModel, type Graph, type Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { decodeModel, encodeModel } from '@pare/onnx'
import { convertFloat16, type LayerSensitivity } from '@pare/quantization'
import { parseJobRequest } from '@pare/recipe'
import { createRandom, tensorFromFloat32 } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { Report } from '../report/report.js'
import { pathOf, StageRunner } from './testing.js'

let root: string
let stages: StageRunner

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-branches-'))
  stages = new StageRunner(root)
})
afterAll(() => rm(root, { recursive: true, force: true }))

const random = createRandom(11)
const normals = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, () => random.normal() * scale)

const CHANNELS = 16
const LENGTH = 40

/** Convolutions and a classifier; its weights are Constant nodes, as exporters leave them. */
function detector(name: string): Graph {
  const n = (part: string) => `${name}_${part}`
  const kernel = () =>
    tensorFromFloat32([CHANNELS, CHANNELS, 3], normals(CHANNELS * CHANNELS * 3, 0.15))
  return model()
    .node('Constant', [], [n('w1')], { value: kernel() })
    .node('Constant', [], [n('w2')], { value: kernel() })
    .node('Conv', ['x', n('w1')], [n('c1')], { pads: [1, 1] })
    .named(n('conv1'))
    .node('Relu', [n('c1')], [n('r1')])
    .node('Conv', [n('r1'), n('w2')], [n('c2')], { pads: [1, 1] })
    .named(n('conv2'))
    .node('Relu', [n('c2')], [n('r2')])
    .node('ReduceMax', [n('r2')], [n('p')], { axes: [2], keepdims: 0 })
    .node('MatMul', [n('p'), 'head'], [n('y')])
    .named(n('head'))
    .output(n('y'))
    .graph()
}

/** Loud and quiet samples go different ways; one sample decides for itself. */
function network(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', CHANNELS, LENGTH])
    .floats('head', [CHANNELS, 4], normals(CHANNELS * 4, 0.3))
    .floats('limit', [], [6])
    .node('ReduceMax', ['x'], ['most'], { keepdims: 0 })
    .node('Greater', ['most', 'limit'], ['isLoud'])
    .node('If', ['isLoud'], ['y'], {
      then_branch: detector('loud'),
      else_branch: detector('quiet'),
    })
    .output('y', 'float32', ['n', 4])
    .build()
}

const SAMPLES = 24

/** Every second sample is loud. */
function samples(): Uint8Array {
  const size = CHANNELS * LENGTH
  const values = normals(SAMPLES * size)
  for (let i = 0; i < values.length; i++) {
    values[i]! *= Math.floor(i / size) % 2 === 0 ? 1 : 8
  }
  return npz({ x: float32Array([SAMPLES, CHANNELS, LENGTH], values) })
}

async function run(built: Model, step: object = {}) {
  const [modelPath, dataPath] = [join(root, 'model.onnx'), join(root, 'data.npz')]
  await writeFile(modelPath, encodeModel(built))
  await writeFile(dataPath, samples())
  const inspected = await stages.run('inspect_model', { model: modelPath })
  const dataset = await stages.run('inspect_dataset', { dataset: dataPath })
  const request = parseJobRequest({
    model: 'mdl_1',
    recipe: { steps: [{ type: 'quantize_static', ...step }] },
  })
  const description = (metrics: unknown) => metrics as KnownModel['description']
  const plan = planJob(request, {
    model: { sha256: 'model', description: description(inspected.metrics) },
    datasets: {
      calibration: {
        sha256: 'data',
        description: dataset.metrics as KnownDataset['description'],
      },
    },
  })
  const blobs = { model: pathOf(inspected, 'canonical'), data: pathOf(dataset, 'canonical') }
  const results = await stages.runPlan(plan, blobs)
  const json = async <Value>(stage: string, role: string) =>
    JSON.parse(await readFile(pathOf(results.get(stage)!, role), 'utf8')) as Value
  const decisions = await json<{ sensitivity: readonly LayerSensitivity[] }>(
    '1-quantize_static',
    'decisions',
  )
  return {
    sensitivity: decisions.sensitivity,
    result: decodeModel(await readFile(pathOf(results.get('1-quantize_static')!, 'model'))),
    report: await json<Report>('report', 'report'),
    statistics: await json<CalibrationStatistics>('1-calibrate', 'statistics'),
  }
}

const LAYERS = ['loud_conv1', 'loud_conv2', 'loud_head', 'quiet_conv1', 'quiet_conv2', 'quiet_head']

describe('a job for layers in branches of If', () => {
  it.each([{}, { calibration: { method: 'entropy' }, sensitivity: 'both' }])(
    'calibrates and quantizes both branches: %j',
    async (step) => {
      const { result, report, statistics, sensitivity } = await run(network(), step)
      checkModel(result)
      const integers = report.layers.filter((layer) => layer['decision'] === 'integer')
      expect(integers.map((layer) => layer['node'])).toEqual(LAYERS)
      expect(report.evaluation.ratios.size).toBeLessThan(0.6)
      expect(report.evaluation.primary.drop).toBeLessThan(0.05)
      expect(statistics.samples).toBe(SAMPLES)
      const width = (branch: string) => {
        const { range } = statistics.tensors[`y/${branch}/x`]!.state
        return range!.max - range!.min
      }
      expect(width('then_branch')).toBeGreaterThan(5 * width('else_branch'))
      expect(sensitivity).toHaveLength(LAYERS.length)
      for (const row of sensitivity) expect(row.quantized_alone_sqnr_db).toBeGreaterThan(20)
    },
  )

  it('does so for a model in float16', async () => {
    const half = convertFloat16(network(), { keepIoTypes: false }).model
    const { report } = await run(half)
    const integers = report.layers.filter((layer) => layer['decision'] === 'integer')
    expect(integers.map((layer) => layer['node'])).toEqual(LAYERS)
    expect(report.evaluation.primary.drop).toBeLessThan(0.05)
  })
})
