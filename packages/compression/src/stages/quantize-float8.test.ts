// Float8 through the stages up to the model: evaluating it takes a GPU, so it is run here as the file
// stands, without onnxruntime's fusions, which a CPU has no float8 kernels for.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { openDataset } from '@pare/datasets'
import { openFile } from '@pare/datasets/node'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { parseJobRequest } from '@pare/recipe'
import { afterAll, beforeAll, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import { example, pathOf, StageRunner } from './testing.js'

let root: string
let runner: StageRunner

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-float8-'))
  runner = new StageRunner(root)
})
afterAll(() => rm(root, { recursive: true, force: true }))

it('quantize_static in float8 answers as the float model does', async () => {
  const model = await runner.run('inspect_model', { model: example('fashion-resnet.onnx') })
  const data = { dataset: example('fashion-calibration.npz') }
  const calibration = await runner.run('inspect_dataset', data)
  const types = { activation_type: 'float8e4m3fn', weight_type: 'float8e4m3fn' }
  const request = parseJobRequest({
    model: 'mdl_1',
    recipe: { steps: [{ type: 'quantize_static', ...types, calibration: { samples: 64 } }] },
    target: { device: 'cuda' },
  })
  const description = model.metrics as KnownModel['description']
  const known = calibration.metrics as KnownDataset['description']
  const plan = planJob(request, {
    model: { sha256: 'model', description },
    datasets: { calibration: { sha256: 'data', description: known } },
  })
  const blobs = { model: pathOf(model, 'canonical'), data: pathOf(calibration, 'canonical') }
  const upToModel = plan.stages.filter(({ kind }) => kind !== 'evaluate' && kind !== 'report')
  const results = await runner.runPlan({ ...plan, stages: upToModel }, blobs)
  const stage = results.get('1-quantize_static')!
  expect(stage.metrics).toEqual({ layers_float8: 16, layers_float: 0 })
  const bytes = await readFile(pathOf(stage, 'model'))
  expect(bytes.length).toBeLessThan(0.3 * (await readFile(blobs.model)).length)
  expect(await agreement(blobs.model, pathOf(stage, 'model'), blobs.data)).toBeGreaterThan(0.97)
})

/** Share of the first samples to which both models give the same class. */
async function agreement(before: string, after: string, data: string): Promise<number> {
  const runtime = onnxRuntime()
  const file = await openFile(data)
  const { feeds } = await (await openDataset(file)).head(200)
  await file.close()
  const classes = await Promise.all(
    [before, after].map(async (path) => {
      const session = await runtime.createSession({ path }, { optimization: 'none' })
      const { logits } = await session.run(feeds)
      await session.release()
      return argmaxRows(logits!.data as Float32Array, logits!.dims[1]!)
    }),
  )
  const [a, b] = classes as [number[], number[]]
  return a.filter((one, i) => one === b[i]).length / a.length
}

function argmaxRows(values: Float32Array, columns: number): number[] {
  return Array.from({ length: values.length / columns }, (_, row) => {
    const scores = values.subarray(row * columns, (row + 1) * columns)
    return scores.indexOf(Math.max(...scores))
  })
}
