// Models and data in float16 through the stages of a job, on a real network and the real runtime.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { decodeModel, encodeModel } from '@pare/onnx'
import { convertFloat16 } from '@pare/quantization'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseJobRequest } from '../parse-job-request.js'
import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import type { Report } from '../report/report.js'
import { example, pathOf, StageRunner } from './testing.js'

let root: string
let runner: StageRunner
/** The example in float16 throughout, inputs and outputs too. */
let halfPath: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-float16-stages-'))
  runner = new StageRunner(root)
  halfPath = join(root, 'half.onnx')
  const source = decodeModel(await readFile(example('fashion-resnet.onnx')))
  await writeFile(halfPath, encodeModel(convertFloat16(source, { keepIoTypes: false }).model))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function run(modelPath: string, step: object) {
  const model = await runner.run('inspect_model', { model: modelPath })
  const data = { dataset: example('fashion-calibration.npz') }
  const calibration = await runner.run('inspect_dataset', data)
  const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] } })
  const plan = planJob(request, {
    model: { sha256: 'model', description: model.metrics as unknown as KnownModel['description'] },
    datasets: {
      calibration: {
        sha256: 'data',
        description: calibration.metrics as unknown as KnownDataset['description'],
      },
    },
  })
  const blobs = { model: pathOf(model, 'canonical'), data: pathOf(calibration, 'canonical') }
  const results = await runner.runPlan(plan, blobs)
  const stage = results.get(plan.artifacts[0]!.stage)!
  const report = JSON.parse(
    await readFile(pathOf(results.get('report')!, 'report'), 'utf8'),
  ) as Report
  return { result: decodeModel(await readFile(pathOf(stage, 'model'))), stage, report }
}

function borderTypes({ graph }: ReturnType<typeof decodeModel>) {
  return [...graph.inputs, ...graph.outputs].map(({ type }) =>
    type?.kind === 'tensor' ? type.elementType : undefined,
  )
}

describe('a model in float16', () => {
  it.each([
    ['quantize_static', {}, 0.62],
    ['quantize_dynamic', {}, 2.1],
    ['quantize_weights', { bits: 8, format: 'QDQ' }, 0.62],
    ['convert_float16', {}, 1.01],
  ] as const)('goes through %s %j and keeps its interface', async (type, parameters, size) => {
    const { result, report } = await run(halfPath, { type, ...parameters })
    expect(borderTypes(result)).toEqual(['float16', 'float16'])
    expect(report.evaluation.primary.drop).toBeLessThan(0.02)
    expect(report.evaluation.ratios.size).toBeLessThan(size)
    const codes = report.diagnostics.map(({ code }) => code)
    const isWidened = type === 'quantize_static' || type === 'quantize_dynamic'
    expect(codes.includes('float16_widened')).toBe(isWidened)
  })
})

describe('convert_float16', () => {
  it('makes float16 inputs and outputs by request, and judges the result on float16', async () => {
    const source = example('fashion-resnet.onnx')
    const { result, report } = await run(source, { type: 'convert_float16', keep_io_types: false })
    expect(borderTypes(result)).toEqual(['float16', 'float16'])
    expect(report.evaluation.primary.drop).toBeLessThan(0.01)
    expect(report.evaluation.ratios.size).toBeLessThan(0.51)
  })

  it('refuses bfloat16 where the runtime does not load it', async () => {
    const source = example('fashion-resnet.onnx')
    await expect(run(source, { type: 'convert_float16', float_type: 'bfloat16' })).rejects.toThrow(
      expect.objectContaining({ code: 'narrow_type_unsupported' }) as Error,
    )
  })
})
