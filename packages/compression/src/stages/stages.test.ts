// The stages of a job in order, on a real network, real data and the real runtime.
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { CodedError } from '@pare/errors'
import { model } from '@pare/graph/testing'
import { encodeModel } from '@pare/onnx'
import type { LayerSensitivity, TriedCandidate } from '@pare/quantization'
import { parseJobRequest } from '@pare/recipe'
import { tensorFromFloat32 } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { Report } from '../report/report.js'
import { example, pathOf, StageRunner } from './testing.js'

let root: string
let stages: StageRunner

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-stages-'))
  stages = new StageRunner(root)
})
afterAll(() => rm(root, { recursive: true, force: true }))

const runStage: StageRunner['run'] = (kind, paths, params) => stages.run(kind, paths, params)
const runPlan: StageRunner['runPlan'] = (plan, blobs) => stages.runPlan(plan, blobs)

async function inspectExamples() {
  const model = await runStage('inspect_model', { model: example('fashion-resnet.onnx') })
  const data = { dataset: example('fashion-calibration.npz') }
  const dataset = await runStage('inspect_dataset', data)
  const known = {
    model: { sha256: 'model', description: model.metrics as KnownModel['description'] },
    datasets: {
      calibration: {
        sha256: 'calibration',
        description: dataset.metrics as KnownDataset['description'],
      },
    },
  }
  const blobs = { model: pathOf(model, 'canonical'), calibration: pathOf(dataset, 'canonical') }
  return { known, blobs, model, dataset }
}

function requestWith(body: object) {
  return parseJobRequest({
    model: 'mdl_1',
    recipe: { steps: [{ type: 'quantize_static' }] },
    ...body,
  })
}

/** AdaRound alone takes seconds of a processor to itself. */
const LONG = 240_000

interface SearchDecisions {
  readonly tried: readonly TriedCandidate[]
  readonly sensitivity: readonly LayerSensitivity[]
}

describe('the stages', () => {
  it('describe uploads, and write canonical files that describe themselves alike', async () => {
    const { model, dataset, blobs } = await inspectExamples()
    expect(model.metrics).toMatchObject({
      inputs: [{ name: 'image', data_type: 'float32' }],
      outputs: [{ name: 'logits', data_type: 'float32' }],
      trial_run: { ok: true },
    })
    expect(dataset.metrics).toMatchObject({ samples: 500, labels: { kind: 'classes' } })
    const again = await runStage('inspect_model', { model: blobs.model })
    expect(await readFile(pathOf(again, 'canonical'))).toEqual(await readFile(blobs.model))
    expect(again.metrics).toEqual(model.metrics)
  })

  it('carry a static quantization from upload to report', async () => {
    const { known, blobs } = await inspectExamples()
    const results = await runPlan(planJob(requestWith({}), known), blobs)
    const reported = results.get('report')!
    const report = JSON.parse(await readFile(pathOf(reported, 'report'), 'utf8')) as Report
    expect(reported.failure).toBeUndefined()
    expect(report.evaluation.primary.name).toBe('top1')
    expect(report.evaluation.ratios.size).toBeLessThan(0.35)
    expect(report.evaluation.primary.drop).toBeLessThan(0.02)
    expect(report.layers.some((layer) => layer['decision'] === 'integer')).toBe(true)
    expect(report.summary.rows.map(({ label }) => label)).toContain('accuracy top1')
  })

  it('carry a dynamic quantization from upload to report', async () => {
    const { known, blobs } = await inspectExamples()
    const request = requestWith({ recipe: { steps: [{ type: 'quantize_dynamic' }] } })
    const results = await runPlan(planJob(request, known), blobs)
    expect(results.get('1-quantize_dynamic')?.metrics['layers_integer']).toBeGreaterThan(0)
    expect(results.get('evaluate')?.metrics['drop']).toBeLessThan(0.02)
  })

  it.each([
    ['convert_float16', {}, 0.55],
    ['quantize_weights', { bits: 8, format: 'QDQ' }, 0.45],
    ['quantize_weights', { bits: 4, algorithm: 'gptq' }, 1.01],
  ] as const)('carry %s %j from upload to report', async (type, parameters, size) => {
    const { known, blobs } = await inspectExamples()
    const request = requestWith({ recipe: { steps: [{ type, ...parameters }] } })
    const results = await runPlan(planJob(request, known), blobs)
    const metrics = results.get('evaluate')?.metrics
    expect(metrics?.['drop']).toBeLessThan(0.02)
    expect(metrics?.['size']).toBeLessThan(size)
  })

  it(
    'use every accuracy algorithm that is asked for, and tell what each brought',
    async () => {
      const { known, blobs } = await inspectExamples()
      const step = {
        type: 'quantize_static',
        calibration: { samples: 64 },
        equalization: true,
        smooth_quant: true,
        rounding: 'adaround',
        bias_correction: 'full',
        sensitivity: 'both',
      }
      const plan = planJob(requestWith({ recipe: { steps: [step] } }), known)
      const results = await runPlan(plan, blobs)
      const path = pathOf(results.get('1-quantize_static')!, 'decisions')
      const { tried, sensitivity } = JSON.parse(await readFile(path, 'utf8')) as SearchDecisions
      expect(tried.map(({ name }) => name)).toEqual([
        'nearest',
        'equalization',
        'smooth_quant',
        'adaround',
        'bias_correction',
      ])
      const last = tried.at(-1)!
      expect(last.chosen).toBe(true)
      expect(last.sqnr_db!).toBeGreaterThan(tried[0]!.sqnr_db!)
      expect(sensitivity.length).toBeGreaterThan(10)
      for (const { quantized_alone_sqnr_db, float_alone_gain_db } of sensitivity) {
        // Null where the layer would not be in integers alone; on fewer samples than the whole.
        expect(quantized_alone_sqnr_db ?? 99).toBeGreaterThan(last.sqnr_db! - 3)
        expect(Math.abs(float_alone_gain_db ?? 0)).toBeLessThan(10)
      }
      expect(results.get('evaluate')?.metrics['drop']).toBeLessThan(0.02)
    },
    LONG,
  )

  it('leave layers float until the drop is what the job allows', async () => {
    const { known, blobs } = await inspectExamples()
    const request = requestWith({
      recipe: { steps: [{ type: 'quantize_static', activation_type: 'int8', per_channel: false }] },
      constraints: { max_drop: 0.004 },
      evaluation: { metric: 'fidelity' },
    })
    const results = await runPlan(planJob(request, known), blobs)
    expect(results.get('report')!.failure).toBeUndefined()
    expect(results.get('report')!.metrics['drop']).toBeLessThanOrEqual(0.004)
    const { layers_integer: integers } = results.get('1-quantize_static')!.metrics
    expect(integers).toBeGreaterThan(0)
  })

  it('keep the result and name the constraint when it is not met', async () => {
    const { known, blobs } = await inspectExamples()
    const request = requestWith({
      recipe: { steps: [{ type: 'quantize_static', fallback: 'none' }] },
      constraints: { max_drop: 0 },
      evaluation: { metric: 'fidelity' },
    })
    const results = await runPlan(planJob(request, known), blobs)
    const { failure, outputs, metrics } = results.get('report')!
    // Integer arithmetic changes the class of some image of 500, or this test says so.
    expect(metrics['drop']).toBeGreaterThan(0)
    expect(failure).toMatchObject({ code: 'constraint_unmet', kind: 'constraint_unmet' })
    expect(outputs.map(({ role }) => role)).toEqual(['report', 'page'])
  })

  it('give the same bytes for the same input', async () => {
    const { known, blobs } = await inspectExamples()
    const plan = planJob(requestWith({}), known)
    const [first, second] = [await runPlan(plan, blobs), await runPlan(plan, blobs)]
    for (const name of ['prepare', '1-calibrate', '1-quantize_static']) {
      for (const { role, path } of first.get(name)!.outputs) {
        const other = pathOf(second.get(name)!, role)
        expect((await readFile(path)).equals(await readFile(other)), `${name} ${role}`).toBe(true)
      }
    }
  })

  it('refuse a model that cannot run although every size is known', async () => {
    const broken = model()
      .input('x', 'float32', [1, 3])
      .initializer('w', tensorFromFloat32([4, 2], new Float32Array(8)))
      .node('MatMul', ['x', 'w'], ['y'])
      .output('y')
      .build()
    const path = join(root, 'mismatch.onnx')
    await writeFile(path, encodeModel(broken))
    await expect(runStage('inspect_model', { model: path })).rejects.toThrow(CodedError)
  })

  it('refuse what is not a model, with a code', async () => {
    const path = join(root, 'not-a-model')
    await writeFile(path, 'certainly not ONNX')
    await expect(runStage('inspect_model', { model: path })).rejects.toThrow(CodedError)
  })

  it('refuse a truncated model, with a code', async () => {
    const path = join(root, 'truncated.onnx')
    await copyFile(example('fashion-resnet.onnx'), path)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length / 2))
    await expect(runStage('inspect_model', { model: path })).rejects.toThrow(CodedError)
  })
})
