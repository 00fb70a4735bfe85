// Calibration as a job does it: each method through all stages, and what the stage says of its data.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  type CalibrationStatistics,
  type DataQuality,
  STATISTICS_OF_METHOD,
} from '@pare/calibration'
import { float32Array, npz } from '@pare/datasets/testing'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import { parseJobRequest } from '@pare/recipe'
import { createRandom } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { Report } from '../report/report.js'
import type { StageResult } from './stage.js'
import type { StageKind } from './stage-table.js'
import { pathOf, StageRunner } from './testing.js'

let root: string
let stages: StageRunner
let folders = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-calibrate-'))
  stages = new StageRunner(root)
})
afterAll(() => rm(root, { recursive: true, force: true }))

const runStage: StageRunner['run'] = (kind, paths, params) => stages.run(kind, paths, params)

async function jsonOf<Value>(result: StageResult, role: string): Promise<Value> {
  return JSON.parse(await readFile(pathOf(result, role), 'utf8')) as Value
}

const random = createRandom(7)
const normals = (count: number, scale = 1) =>
  Float32Array.from({ length: count }, () => random.normal() * scale)

const SHAPE = [8, 6, 6]
const SIZE = 8 * 6 * 6

function network() {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', ...SHAPE])
    .floats('w1', [16, 8, 3, 3], normals(16 * 72, 0.12))
    .floats('b1', [16], normals(16, 0.1))
    .floats('w2', [16, 16, 3, 3], normals(16 * 144, 0.08))
    .floats('w3', [16, 10], normals(160, 0.25))
    .floats('b3', [10], normals(10, 0.1))
    .node('Conv', ['x', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c2'], ['r2'])
    .node('GlobalAveragePool', ['r2'], ['p'])
    .node('Flatten', ['p'], ['f'])
    .node('Gemm', ['f', 'w3', 'b3'], ['y'])
    .output('y', 'float32', ['n', 10])
    .build()
}

/** Uploads written to a folder of their own, inspected, and the model prepared. */
async function uploads(data: Readonly<Record<string, Float32Array>>) {
  const folder = join(root, `uploads-${folders++}`)
  await mkdir(folder)
  await writeFile(join(folder, 'model.onnx'), encodeModel(network()))
  const inspected = await runStage('inspect_model', { model: join(folder, 'model.onnx') })
  const blobs: Record<string, string> = { model: pathOf(inspected, 'canonical') }
  const datasets: Record<string, KnownDataset> = {}
  for (const [role, values] of Object.entries(data)) {
    const path = join(folder, `${role}.npz`)
    const dims = [values.length / SIZE, ...SHAPE]
    await writeFile(path, npz({ x: float32Array(dims, values) }))
    const dataset = await runStage('inspect_dataset', { dataset: path })
    blobs[role] = pathOf(dataset, 'canonical')
    datasets[role] = {
      sha256: role,
      description: dataset.metrics as KnownDataset['description'],
    }
  }
  const description = inspected.metrics as KnownModel['description']
  return { blobs, known: { model: { sha256: 'model', description }, datasets }, folder }
}

type Uploads = Awaited<ReturnType<typeof uploads>>

/** A job without queue or database: all of it, or up to the stage `last`. */
async function runJob({ blobs, known }: Uploads, calibration: object, last?: StageKind) {
  const steps = [{ type: 'quantize_static', calibration }]
  const request = parseJobRequest({ model: 'mdl_1', recipe: { steps } })
  const results = new Map<string, StageResult>()
  for (const stage of planJob(request, known).stages) {
    const paths = stage.inputs.map(({ role, from }) => {
      if ('blob' in from) return [role, blobs[from.blob]!] as const
      return [role, pathOf(results.get(from.stage)!, from.role)] as const
    })
    results.set(stage.name, await runStage(stage.kind, Object.fromEntries(paths), stage.params))
    if (stage.kind === last) break
  }
  return results
}

describe('calibration in a job', () => {
  it.each(Object.keys(STATISTICS_OF_METHOD))(
    '%s goes through all stages to a report',
    async (method) => {
      const results = await runJob(await uploads({ calibration: normals(70 * SIZE) }), { method })
      const { samples, kind } = await jsonOf<CalibrationStatistics>(
        results.get('1-calibrate')!,
        'statistics',
      )
      expect(samples).toBe(70)
      expect(kind).toBe(STATISTICS_OF_METHOD[method as 'minmax'])
      const report = await jsonOf<Report>(results.get('report')!, 'report')
      expect(report.evaluation.fidelity.sqnr_db).toBeGreaterThan(20)
      expect(report.layers.some((layer) => layer.decision === 'integer')).toBe(true)
      expect(report.data_quality?.samples).toBe(70)
      expect(report.data_quality?.inputs.map(({ name }) => name)).toEqual(['x'])
    },
  )

  it('stops when more samples change nothing, and the report says how many it used', async () => {
    const calibration = { method: 'percentile', samples: 320, stop_below_drift: 0.5 }
    const results = await runJob(await uploads({ calibration: normals(320 * SIZE) }), calibration)
    expect(results.get('1-calibrate')!.metrics['samples']).toBe(128)
    const { data_quality } = await jsonOf<Report>(results.get('report')!, 'report')
    expect(data_quality?.samples).toBe(128)
  })

  it('compares the calibration data with the validation data', async () => {
    const calibration = normals(80 * SIZE)
    const alike = await uploads({ calibration, validation: normals(80 * SIZE) })
    const same = await runJob(alike, {}, 'calibrate')
    const quality = await jsonOf<DataQuality>(same.get('1-calibrate')!, 'data_quality')
    expect(quality.diagnostics).toEqual([])
    const other = await uploads({ calibration, validation: normals(80 * SIZE, 3) })
    const drifted = await runJob(other, {}, 'calibrate')
    const { diagnostics } = await jsonOf<DataQuality>(drifted.get('1-calibrate')!, 'data_quality')
    expect(diagnostics.map(({ code, tensor }) => [code, tensor])).toContainEqual([
      'calibration_drift',
      'x',
    ])
    expect(drifted.get('1-calibrate')!.metrics['data_diagnostics']).toBe(diagnostics.length)
  })

  it('reports infinite values and the NaN they become, with tensor and count, and goes on', async () => {
    const calibration = normals(40 * SIZE)
    calibration.set([-Infinity, Infinity], 17)
    const given = await uploads({ calibration })
    const results = await runJob(given, { method: 'mse' }, 'quantize_static')
    const { diagnostics } = await jsonOf<DataQuality>(results.get('1-calibrate')!, 'data_quality')
    const found = diagnostics.filter(({ code }) => code === 'calibration_non_finite')
    expect(found[0]).toMatchObject({ tensor: 'x', count: 2, severity: 'warning' })
    expect(found.length).toBeGreaterThan(1)
  })

  it('writes nothing beside its inputs, whose folder may be read-only', async () => {
    const given = await uploads({ calibration: normals(40 * SIZE) })
    const folder = join(root, 'read-only')
    await mkdir(folder)
    const prepared = await runStage('prepare', {
      model: given.blobs['model']!,
      sample: given.blobs['calibration']!,
    })
    const paths = { model: join(folder, 'model.onnx'), calibration: join(folder, 'data.npz') }
    await writeFile(paths.model, await readFile(pathOf(prepared, 'model')))
    await writeFile(paths.calibration, await readFile(given.blobs['calibration']!))
    const params = { kind: 'histogram', samples: 40, stop_below_drift: 0 }
    await runStage('calibrate', paths, params)
    expect((await readdir(folder)).sort()).toEqual(['data.npz', 'model.onnx'])
  })
})
