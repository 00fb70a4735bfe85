// A model that is too large for one .onnx file, from upload to report. The limit is lowered, so that a
// model of a few megabytes takes that way; what comes out is compared with what comes without it.
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { float32Array, npz } from '@pare/datasets/testing'
import type { EvaluationResult } from '@pare/evaluation'
import { type Model, tensorsOf } from '@pare/graph'
import { model, type ModelBuilder } from '@pare/graph/testing'
import { withSessionDefaults } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { extractBundle, isBundle, openModelFile, planModelFile } from '@pare/onnx/bundle'
import { type JsonObject, parseJobRequest } from '@pare/recipe'
import { bytesOf, createRandom, elementCount } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import { runStage as runStageOf } from './run-stage.js'
import type { StageResult } from './stage.js'
import type { StageKind } from './stage-table.js'

const WIDTH = 64
const SAMPLES = 24
/** Less than any model here has, whatever was done to it. */
const LOW_LIMIT = 16 << 10

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-large-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** Normalization, two layers, and their input added to them, twice; then a head of four classes. */
function network(): Model {
  const { normal } = createRandom(3)
  const weights = (dims: readonly number[]) =>
    Float32Array.from({ length: elementCount(dims) }, () => normal() / Math.sqrt(dims[0]!))
  const block = (builder: ModelBuilder, i: number) =>
    builder
      .floats(`scale${i}`, [WIDTH], new Float32Array(WIDTH).fill(1))
      .floats(`up${i}`, [WIDTH, 4 * WIDTH], weights([WIDTH, 4 * WIDTH]))
      .floats(`down${i}`, [4 * WIDTH, WIDTH], weights([4 * WIDTH, WIDTH]))
      .node('LayerNormalization', [`x${i}`, `scale${i}`], [`norm${i}`])
      .node('MatMul', [`norm${i}`, `up${i}`], [`wide${i}`])
      .node('Relu', [`wide${i}`], [`active${i}`])
      .node('MatMul', [`active${i}`, `down${i}`], [`back${i}`])
      .node('Add', [`x${i}`, `back${i}`], [`x${i + 1}`])
  return block(block(model({ opset: 17 }).input('x0', 'float32', ['n', WIDTH]), 0), 1)
    .floats('head', [WIDTH, 32], weights([WIDTH, 32]))
    .node('MatMul', ['x2', 'head'], ['scores'])
    .output('scores', 'float32', ['n', 32])
    .build()
}

async function runStage(
  kind: StageKind,
  paths: Readonly<Record<string, string>>,
  { params = {}, limit }: { readonly params?: JsonObject; readonly limit: number },
): Promise<StageResult> {
  const workDir = await mkdtemp(join(root, `${kind}-`))
  return runStageOf(kind, {
    inputs: Object.entries(paths).map(([role, path]) => ({ role, path, sha256: role })),
    ...{ params, workDir, seed: 0, threads: 1, device: 'cpu', maxOnnxBytes: limit },
    runtime: withSessionDefaults(onnxRuntime(), { externalDataFolder: workDir }),
    onProgress: () => undefined,
  })
}

const pathOf = ({ outputs }: StageResult, role: string) =>
  outputs.find((output) => output.role === role)!.path

type Results = ReadonlyMap<string, StageResult>

/** A job of one step, from the uploads to the stage `last`; the result of every stage. */
async function runJob(step: JsonObject, limit: number, last: string): Promise<Results> {
  const uploads = await upload(limit)
  const known = {
    model: {
      sha256: 'model',
      description: uploads.model.metrics as KnownModel['description'],
    },
    datasets: {
      calibration: {
        sha256: 'calibration',
        description: uploads.dataset.metrics as KnownDataset['description'],
      },
    },
  }
  const blobs: Readonly<Record<string, string>> = {
    model: pathOf(uploads.model, 'canonical'),
    calibration: pathOf(uploads.dataset, 'canonical'),
  }
  const plan = planJob(parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] } }), known)
  const results = new Map<string, StageResult>()
  for (const { name, kind, params, inputs } of plan.stages) {
    const paths = inputs.map(({ role, from }) => {
      if ('blob' in from) return [role, blobs[from.blob]!] as const
      return [role, pathOf(results.get(from.stage)!, from.role)] as const
    })
    results.set(name, await runStage(kind, Object.fromEntries(paths), { params, limit }))
    if (name === last) break
  }
  return results
}

async function upload(limit: number) {
  const folder = await mkdtemp(join(root, 'upload-'))
  const { normal } = createRandom(5)
  const x0 = float32Array([SAMPLES, WIDTH], Float32Array.from({ length: SAMPLES * WIDTH }, normal))
  await writeFile(join(folder, 'data.npz'), npz({ x0 }))
  planModelFile(network(), { maxOnnxBytes: limit }).write(join(folder, 'model'))
  return {
    model: await runStage('inspect_model', { model: join(folder, 'model') }, { limit }),
    dataset: await runStage('inspect_dataset', { dataset: join(folder, 'data.npz') }, { limit }),
  }
}

/** Every tensor by its place in the file, whichever file its bytes lie in. */
const contentOf = (path: string) =>
  tensorsOf(openModelFile(path).model).map((tensor) => ({
    ...{ dataType: tensor.dataType, dims: tensor.dims },
    data: Buffer.from(bytesOf(tensor)).toString('base64'),
  }))

describe('a model larger than one .onnx file may be', () => {
  it('is inspected, stored as an archive and described as any other', async () => {
    const large = (await upload(LOW_LIMIT)).model
    const plain = (await upload(2 ** 31)).model
    expect(isBundle(pathOf(large, 'canonical'))).toBe(true)
    expect(large.outputs[0]!.mediaType).toBe('application/zip')
    expect(isBundle(pathOf(plain, 'canonical'))).toBe(false)
    expect({ ...large.metrics, size_bytes: 0 }).toEqual({ ...plain.metrics, size_bytes: 0 })
    expect(contentOf(pathOf(large, 'canonical'))).toEqual(contentOf(pathOf(plain, 'canonical')))
    // Of the upload nothing stays beside it.
    const folder = dirname(pathOf(large, 'canonical'))
    expect(await readdir(folder)).toEqual(['canonical.zip'])
  })

  it.each<[string, JsonObject]>([
    ['quantize_weights', { bits: 4 }],
    ['quantize_weights', { bits: 4, algorithm: 'gptq' }],
    ['quantize_weights', { bits: 8, format: 'QDQ' }],
    ['quantize_dynamic', {}],
    ['quantize_static', { calibration: { samples: 8 } }],
    ['convert_float16', {}],
  ])('comes out of %s %j as it would from one file', async (type, options) => {
    const stage = `1-${type}`
    const large = await runJob({ type, ...options }, LOW_LIMIT, stage)
    const plain = await runJob({ type, ...options }, 2 ** 31, stage)
    expect(isBundle(pathOf(large.get('prepare')!, 'model'))).toBe(true)
    const [archive, file] = [pathOf(large.get(stage)!, 'model'), pathOf(plain.get(stage)!, 'model')]
    expect([isBundle(archive), isBundle(file)]).toEqual([true, false])
    expect(contentOf(archive)).toEqual(contentOf(file))
    expect(large.get(stage)!.metrics).toEqual(plain.get(stage)!.metrics)
  })

  it('may come as one file from a time when the limit was higher', async () => {
    const { model: whole, dataset } = await upload(2 ** 31)
    const inputs = { model: pathOf(whole, 'canonical'), sample: pathOf(dataset, 'canonical') }
    expect(isBundle(inputs.model)).toBe(false)
    const large = await runStage('prepare', inputs, { limit: LOW_LIMIT })
    const plain = await runStage('prepare', inputs, { limit: 2 ** 31 })
    expect(isBundle(pathOf(large, 'model'))).toBe(true)
    expect(contentOf(pathOf(large, 'model'))).toEqual(contentOf(pathOf(plain, 'model')))
    // Its weights were put where sessions find them.
    expect(await readdir(dirname(pathOf(large, 'model')))).toContain('model.aside')
  })

  it('is judged and reported as any other, and runs where its archive was unpacked', async () => {
    const step = { type: 'quantize_weights', bits: 4 }
    const large = await runJob(step, LOW_LIMIT, 'report')
    const plain = await runJob(step, 2 ** 31, 'report')
    const archive = pathOf(large.get('1-quantize_weights')!, 'model')
    const [judged, expected] = [large, plain].map(evaluationOf)
    for (const key of ['primary', 'fidelity', 'layers'] as const) {
      expect(judged![key]).toEqual(expected![key])
    }
    expect(judged!.result.size.bytes).toBe((await stat(archive)).size)
    expect(judged!.original.sparsity).toBe(expected!.original.sparsity)
    expect(judged!.original.memory!.increase_bytes).toBeGreaterThan(0)
    expect(large.get('report')!.failure).toBeUndefined()
    await runUnpacked(archive)
  })
})

function evaluationOf(results: Results): EvaluationResult {
  const text = readFileSync(pathOf(results.get('evaluate')!, 'evaluation'), 'utf8')
  return JSON.parse(text) as EvaluationResult
}

/** As somebody does who got the archive: two files in a folder, and the path of one of them. */
async function runUnpacked(archive: string): Promise<void> {
  const folder = await mkdtemp(join(root, 'unpacked-'))
  const copy = join(await mkdtemp(join(root, 'download-')), 'model.zip')
  await copyFile(archive, copy)
  const { model: graph, members } = await extractBundle({ path: copy, directory: folder })
  const parts = [['model.onnx', graph] as const, ...members]
  for (const [name, { path, offset, bytes }] of parts) {
    await writeFile(join(folder, name), readFileSync(path).subarray(offset, offset + bytes))
  }
  const path = join(folder, 'model.onnx')
  const session = await onnxRuntime().createSession({ path }, { intraOpThreads: 1 })
  const data = new Float32Array(WIDTH).map((_, i) => Math.sin(i))
  const { scores } = await session.run({ x0: { dataType: 'float32', dims: [1, WIDTH], data } })
  await session.release()
  expect(scores!.dims).toEqual([1, 32])
  expect((scores!.data as Float32Array).every(Number.isFinite)).toBe(true)
}
