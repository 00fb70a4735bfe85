// Models and data in float16 through the stages of a job, on a real network and the real runtime.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { onnxRuntime } from '@pare/inference/onnxruntime'
import { decodeModel, encodeModel } from '@pare/onnx'
import { convertFloat16 } from '@pare/quantization'
import { parseJobRequest } from '@pare/recipe'
import { createRandom, decodeFloat16, encodeFloat16 } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

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

async function planFor(modelPath: string, step: object) {
  const model = await runner.run('inspect_model', { model: modelPath })
  const data = { dataset: example('fashion-calibration.npz') }
  const calibration = await runner.run('inspect_dataset', data)
  const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] } })
  const plan = planJob(request, {
    model: { sha256: 'model', description: model.metrics as KnownModel['description'] },
    datasets: {
      calibration: {
        sha256: 'data',
        description: calibration.metrics as KnownDataset['description'],
      },
    },
  })
  return {
    plan,
    blobs: { model: pathOf(model, 'canonical'), data: pathOf(calibration, 'canonical') },
  }
}

/** The model that a step makes; nothing is evaluated. */
async function make(modelPath: string, step: object) {
  const { plan, blobs } = await planFor(modelPath, step)
  const stages = plan.stages.filter(({ kind }) => kind !== 'evaluate' && kind !== 'report')
  const results = await runner.runPlan({ ...plan, stages }, blobs)
  const bytes = await readFile(pathOf(results.get(stages.at(-1)!.name)!, 'model'))
  const preparation = await readFile(pathOf(results.get('prepare')!, 'decisions'), 'utf8')
  return { bytes, preparation }
}

/** The whole job. */
async function run(modelPath: string, step: object) {
  const { plan, blobs } = await planFor(modelPath, step)
  const results = await runner.runPlan(plan, blobs)
  const stage = results.get(plan.artifacts[0]!.stage)!
  const text = await readFile(pathOf(results.get('report')!, 'report'), 'utf8')
  return {
    result: decodeModel(await readFile(pathOf(stage, 'model'))),
    report: JSON.parse(text) as Report,
  }
}

function borderTypes({ graph }: ReturnType<typeof decodeModel>) {
  return [...graph.inputs, ...graph.outputs].map(({ type }) =>
    type?.kind === 'tensor' ? type.elementType : undefined,
  )
}

/** The classes that a model in float16 gives the same noise. */
async function classes(model: Uint8Array): Promise<readonly number[]> {
  const random = createRandom(1)
  const dims = [64, 1, 28, 28]
  const noise = Float32Array.from({ length: 64 * 784 }, () => random.normal())
  const image = { dataType: 'float16', dims, data: encodeFloat16(noise) } as const
  const session = await onnxRuntime().createSession(model, { intraOpThreads: 1 })
  const { logits } = await session.run({ image })
  await session.release()
  const values = decodeFloat16(logits!.data as Uint16Array)
  return Array.from({ length: 64 }, (_, row) => {
    const scores = values.subarray(row * 10, (row + 1) * 10)
    return scores.indexOf(Math.max(...scores))
  })
}

describe('a model in float16', () => {
  it('goes through quantize_static to the report and keeps its interface', async () => {
    const { result, report } = await run(halfPath, { type: 'quantize_static' })
    expect(borderTypes(result)).toEqual(['float16', 'float16'])
    expect(report.evaluation.primary.drop).toBeLessThan(0.02)
    expect(report.evaluation.ratios.size).toBeLessThan(0.62)
    expect(report.diagnostics.map(({ code }) => code)).toContain('float16_widened')
  })

  it.each([
    ['quantize_dynamic', { op_types_to_quantize: ['Conv', 'Gemm'] }, 0.62],
    ['quantize_weights', { bits: 8, format: 'QDQ' }, 0.62],
    ['convert_float16', {}, 1.01],
  ] as const)('goes through %s %j and keeps its interface', async (type, parameters, size) => {
    const { bytes, preparation } = await make(halfPath, { type, ...parameters })
    expect(borderTypes(decodeModel(bytes))).toEqual(['float16', 'float16'])
    const before = await readFile(halfPath)
    expect(bytes.length / before.length).toBeLessThan(size)
    expect(preparation.includes('float16_widened')).toBe(type === 'quantize_dynamic')
    const [expected, actual] = [await classes(before), await classes(bytes)]
    expect(actual.filter((one, i) => one === expected[i]).length).toBeGreaterThan(56)
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
    await expect(make(source, { type: 'convert_float16', float_type: 'bfloat16' })).rejects.toThrow(
      expect.objectContaining({ code: 'narrow_type_unsupported' }) as Error,
    )
  })
})
