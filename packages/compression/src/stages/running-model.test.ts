// Models of one sample at a time through the stages: run in batches where that is the same.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type CalibrationStatistics, parseStatistics } from '@pare/calibration'
import { float32Array, npz } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import { model, type ModelBuilder, type ShapeSpec } from '@pare/graph/testing'
import type { InferenceRuntime } from '@pare/inference'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { encodeModel } from '@pare/onnx'
import { openModelFile } from '@pare/onnx/bundle'
import { parseJobRequest } from '@pare/recipe'
import { createRandom, tensorFromInts } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { KnownDataset, KnownModel } from '../plan/check-datasets.js'
import { planJob } from '../plan/plan-job.js'
import { fittingBatch } from './running-model.js'
import type { StageResult } from './stage.js'
import type { StageKind } from './stage-table.js'
import { pathOf, StageRunner } from './testing.js'

let root: string
let stages: StageRunner
let folders = 0
/** Rows of the first input of every run. */
let runs: number[] = []

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pare-batches-'))
  stages = new StageRunner(root, watched(onnxRuntime()))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function watched(runtime: InferenceRuntime): InferenceRuntime {
  return {
    ...runtime,
    createSession: async (file, options) => {
      const session = await runtime.createSession(file, options)
      return {
        inputs: session.inputs,
        outputs: session.outputs,
        run: (feeds, outputs) => {
          runs.push(Object.values(feeds)[0]!.dims[0]!)
          return session.run(feeds, outputs)
        },
        endProfiling: () => session.endProfiling(),
        release: () => session.release(),
      }
    },
  }
}

const normals = (count: number, seed: number, scale = 1) => {
  const random = createRandom(seed)
  return Float32Array.from({ length: count }, () => random.normal() * scale)
}

const SHAPE = [3, 6, 6]
const SIZE = 108

/** Two convolutions and a layer of ten scores; `finish` makes `y` of `s`. */
function network(
  batch: ShapeSpec[number],
  finish = (built: ModelBuilder) => built.node('Softmax', ['s'], ['y'], { axis: 1 }),
): Model {
  const built = model({ opset: 17, irVersion: 8 })
    .input('x', 'float32', [batch, ...SHAPE])
    .floats('w1', [16, 3, 3, 3], normals(16 * 27, 1, 0.2))
    .floats('w2', [16, 16, 3, 3], normals(16 * 144, 2, 0.08))
    .floats('w3', [256, 10], normals(2560, 3, 0.1))
    .initializer('flat', tensorFromInts('int64', [2], [1, -1]))
    .value('c1', 'float32', [batch, 16, 6, 6])
    .node('Conv', ['x', 'w1'], ['c1'], { pads: [1, 1, 1, 1] })
    .node('Relu', ['c1'], ['r1'])
    .node('Conv', ['r1', 'w2'], ['c2'])
    .node('Relu', ['c2'], ['r2'])
    .node('Reshape', ['r2', 'flat'], ['f'])
    .node('MatMul', ['f', 'w3'], ['s'])
  return finish(built).output('y', 'float32', [batch, 10]).build()
}

interface Given {
  readonly network: Model
  readonly calibration?: readonly [dims: readonly number[], values: Float32Array]
  readonly validation?: readonly [dims: readonly number[], values: Float32Array]
}

const SAMPLES = 40
const DATA = [[SAMPLES, ...SHAPE], normals(SAMPLES * SIZE, 4)] as const

/** A job up to the stage `last`, `without` the verdict on batches if wanted. */
async function runJob(
  { network: built, calibration = DATA, validation }: Given,
  { last = 'quantize_static', constraints = {}, without = '' } = {},
): Promise<ReadonlyMap<string, StageResult>> {
  const folder = join(root, `uploads-${folders++}`)
  await mkdir(folder)
  await writeFile(join(folder, 'model.onnx'), encodeModel(built))
  const inspected = await stages.run('inspect_model', { model: join(folder, 'model.onnx') })
  const blobs: Record<string, string> = { model: pathOf(inspected, 'canonical') }
  const datasets: Record<string, KnownDataset> = {}
  for (const [role, data] of Object.entries({ calibration, validation })) {
    if (data === undefined) continue
    const path = join(folder, `${role}.npz`)
    await writeFile(path, npz({ x: float32Array(data[0], data[1]) }))
    const dataset = await stages.run('inspect_dataset', { dataset: path })
    blobs[role] = pathOf(dataset, 'canonical')
    const description = dataset.metrics as KnownDataset['description']
    datasets[role] = { sha256: role, description }
  }
  const description = inspected.metrics as KnownModel['description']
  const recipe = { steps: [{ type: 'quantize_static' }] }
  const request = parseJobRequest({ model: 'mdl_1', recipe, constraints })
  const plan = planJob(request, { model: { sha256: 'model', description }, datasets })
  const until = plan.stages.findIndex(({ kind }) => kind === (last as StageKind))
  const planned = plan.stages.slice(0, until + 1).map((stage) => ({
    ...stage,
    inputs: stage.inputs.filter(({ role }) => role !== without),
  }))
  runs = []
  return stages.runPlan({ ...plan, stages: planned }, blobs)
}

async function jsonOf<Value>(results: ReadonlyMap<string, StageResult>, path: string) {
  const [stage = '', role = ''] = path.split('/')
  return JSON.parse(await readFile(pathOf(results.get(stage)!, role), 'utf8')) as Value
}

function resultOf(results: ReadonlyMap<string, StageResult>): Model {
  return openModelFile(pathOf(results.get('1-quantize_static')!, 'model')).model
}

async function samplesAtOnce(given: Given): Promise<number> {
  const prepared = await runJob(given, { last: 'prepare' })
  return (await jsonOf<{ samples: number }>(prepared, 'prepare/batch')).samples
}

async function kernelsOf(results: ReadonlyMap<string, StageResult>) {
  const { layers } = await jsonOf<Decisions>(results, '1-quantize_static/decisions')
  return layers.map(({ kernel }) => kernel)
}

describe('a model of one sample at a time', () => {
  it('is calibrated and quantized in batches, to what single runs make of it', async () => {
    const batched = await runJob({ network: network(1) })
    const inBatches = runs
    const single = await runJob({ network: network(1) }, { without: 'batch' })
    const oneByOne = runs
    expect(Math.max(...inBatches)).toBe(4)
    expect(Math.max(...oneByOne)).toBe(3)
    expect(inBatches.length).toBeLessThan(oneByOne.length / 2)

    const [ranges, expected] = await Promise.all(
      [batched, single].map(async (results) => {
        const statistics = parseStatistics(await jsonOf(results, '1-calibrate/statistics'))
        expect(statistics.samples).toBe(SAMPLES)
        return rangesOf(statistics)
      }),
    )
    expect(Object.keys(ranges!)).toEqual(Object.keys(expected!))
    for (const [name, { min, max }] of Object.entries(expected!)) {
      const limit = 1e-5 * Math.max(Math.abs(min), Math.abs(max))
      expect(Math.abs(ranges![name]!.min - min)).toBeLessThanOrEqual(limit)
      expect(Math.abs(ranges![name]!.max - max)).toBeLessThanOrEqual(limit)
    }

    const [result, other] = [resultOf(batched), resultOf(single)]
    expect(result.graph.inputs).toEqual(network(1).graph.inputs)
    expect(result.graph.outputs).toEqual(network(1).graph.outputs)
    expect(result.graph.valueInfo).toEqual(other.graph.valueInfo)
    expect(result.graph.nodes).toEqual(other.graph.nodes)
    expect(result.graph.initializers.get('flat')).toEqual(other.graph.initializers.get('flat'))
    const kernels = await kernelsOf(batched)
    expect(kernels).toContain('QLinearConv')
    expect(kernels).toEqual(await kernelsOf(single))
  })

  it('is judged, and reported, as it was uploaded', async () => {
    const given = { network: network(1), calibration: DATA, validation: DATA }
    const results = await runJob(given, { constraints: { max_drop: 0.5 }, last: 'report' })
    expect(await jsonOf(results, 'prepare/batch')).toEqual({ samples: 4 })
    const { tried } = await jsonOf<Decisions>(results, '1-quantize_static/decisions')
    expect(tried.some(({ drop }) => typeof drop === 'number')).toBe(true)
    expect(results.get('report')!.failure).toBeUndefined()
  })

  it('runs one by one over validation data of whole inputs', async () => {
    const validation = [[10, 1, ...SHAPE], normals(10 * SIZE, 5)] as const
    const results = await runJob({ network: network(1), validation }, { last: 'calibrate' })
    expect(await jsonOf(results, 'prepare/batch')).toEqual({ samples: 4 })
    expect(Math.max(...runs)).toBe(3)
    expect(results.get('1-calibrate')!.metrics['samples']).toBe(SAMPLES)
  })

  it.each([
    [
      'normalizes over the samples',
      (built: ModelBuilder) =>
        built.node('Softmax', ['s'], ['p'], { axis: 0 }).node('Mul', ['p', 's'], ['y']),
    ],
    [
      'subtracts the mean of the samples',
      (built: ModelBuilder) =>
        built
          .node('ReduceMean', ['s'], ['m'], { axes: [0] })
          .node('Sub', ['s', 'm'], ['d'])
          .node('Add', ['s', 'd'], ['y']),
    ],
    [
      'has outputs that are the same whatever it is given',
      (built: ModelBuilder) => built.node('Abs', ['s'], ['a']).node('Sign', ['a'], ['y']),
    ],
  ])('takes one at a time where it %s', async (_, finish) => {
    expect(await samplesAtOnce({ network: network(1, finish) })).toBe(1)
  })

  it('takes one at a time where the data has no samples that differ', async () => {
    const one = [[1, ...SHAPE], normals(SIZE, 6)] as const
    expect(await samplesAtOnce({ network: network(1), calibration: one })).toBe(1)
    const same = [
      [9, ...SHAPE],
      Float32Array.from({ length: 9 * SIZE }, (_, i) => DATA[1][i % SIZE]!),
    ] as const
    expect(await samplesAtOnce({ network: network(1), calibration: same })).toBe(1)
  })

  it.each([
    [520_000, 4],
    [1_200_000, 1],
  ])('with a tensor of %d bytes takes no more at once than is faster: %d', async (bytes, most) => {
    const repeats = tensorFromInts('int64', [2], [1, bytes / 40])
    const finish = (built: ModelBuilder) =>
      built
        .initializer('repeats', repeats)
        .node('Tile', ['s', 'repeats'], ['t'])
        .node('ReduceMean', ['t'], ['m'], { axes: [1] })
        .node('Add', ['s', 'm'], ['y'])
    expect(await samplesAtOnce({ network: network(1, finish) })).toBe(most)
  })

  it('is none that takes any number', async () => {
    expect(await samplesAtOnce({ network: network('n') })).toBe(1)
  })
})

interface Decisions {
  readonly layers: readonly { readonly kernel?: string }[]
  readonly tried: readonly { readonly drop?: number | null }[]
}

function rangesOf({ tensors }: CalibrationStatistics) {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { state }]) => {
      const { min, max } = (state as { range: { min: number; max: number } }).range
      return [name, { min, max }]
    }),
  )
}

describe('fittingBatch', () => {
  it.each([
    { rows: 24, size: 4, fits: 4, why: 'no batch needs filling' },
    { rows: 25, size: 4, fits: 4, why: '3 in 25 are less than an eighth' },
    { rows: 21, size: 4, fits: 2, why: '3 in 21 are more, 1 is not' },
    { rows: 8, size: 3, fits: 3, why: '1 in 8 is an eighth' },
    { rows: 7, size: 4, fits: 1, why: '1 in 7 is more however small the batch' },
    { rows: 1, size: 4, fits: 1, why: 'one sample is one batch' },
  ])('$rows samples, $size at once: $fits, for $why', ({ rows, size, fits }) => {
    expect(fittingBatch(rows, size)).toBe(fits)
  })
})
