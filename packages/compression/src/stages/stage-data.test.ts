// What a stage reads more than once: from memory after the first time, the same bytes, untouched.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { STATISTICS_OF_METHOD, type StatisticsKind } from '@pare/calibration'
import { type RememberReads, rememberReads } from '@pare/datasets'
import { float32Array, npz } from '@pare/datasets/testing'
import type { Model } from '@pare/graph'
import { model } from '@pare/graph/testing'
import { onnxRuntime } from '@pare/inference/onnxruntime'
import { calibrateModel, chooseTechniques, searchStatic } from '@pare/quantization'
import { createRandom } from '@pare/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { optimizeWith } from './optimize-model.js'
import type { StageSetting } from './stage.js'
import { computeOf, withSamples } from './stage-data.js'

const random = createRandom(3)
const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal())

const SAMPLES = 70
const WIDTH = 12

function network(): Model {
  return model({ opset: 17 })
    .input('x', 'float32', ['n', WIDTH])
    .floats('w1', [WIDTH, WIDTH], normals(WIDTH ** 2))
    .floats('b1', [WIDTH], normals(WIDTH))
    .floats('w2', [WIDTH, WIDTH], normals(WIDTH ** 2))
    .node('Gemm', ['x', 'w1', 'b1'], ['a'])
    .node('Relu', ['a'], ['r'])
    .node('MatMul', ['r', 'w2'], ['y'])
    .output('y')
    .build()
}

let context: StageSetting<'calibration'>

beforeAll(async () => {
  const workDir = await mkdtemp(join(tmpdir(), 'pare-source-'))
  const path = join(workDir, 'calibration.npz')
  await writeFile(
    path,
    npz({ x: float32Array([SAMPLES, WIDTH], normals(SAMPLES * WIDTH)) }, { compressed: false }),
  )
  context = {
    ...{ workDir, params: {}, seed: 0, threads: 1, device: 'cpu', runtime: onnxRuntime() },
    inputs: [{ role: 'calibration', path, sha256: '' }],
    onProgress: () => undefined,
  }
})
afterAll(() => rm(context.workDir, { recursive: true, force: true }))

/** A memory that counts what it asks the file for, and knows what it was given. */
function watchedMemory() {
  const given = new Map<string, { bytes: Uint8Array; copy: Uint8Array }>()
  const remember = rememberReads(1 << 20)
  const watched: RememberReads = (source) =>
    remember({
      ...source,
      read: async (offset, length) => {
        const bytes = await source.read(offset, length)
        const key = `${offset}:${length}`
        expect(given.has(key), `${key} is read once`).toBe(false)
        given.set(key, { bytes, copy: bytes.slice() })
        return bytes
      },
    })
  return { given, remember: watched }
}

function search(built: Model, remember?: RememberReads) {
  const part = { role: 'calibration', model: built, samples: SAMPLES, remember } as const
  return withSamples(context, part, async (data) => {
    const source = { ...data, ...computeOf(context) }
    const calibrate = (kind: StatisticsKind, changed: Model) =>
      calibrateModel({ ...computeOf(context), model: changed, kind, source })
    const all = []
    for (const kind of new Set(Object.values(STATISTICS_OF_METHOD))) {
      all.push(await calibrate(kind, built))
    }
    const recalibrate = (changed: Model) => calibrate('minmax', changed)
    const found = await searchStatic({
      model: built,
      statistics: await recalibrate(built),
      options: {},
      optimize: optimizeWith(context),
      source,
      recalibrate,
      techniques: chooseTechniques({
        ...{ equalization: true, smoothQuant: true, smoothQuantAlpha: 0.5 },
        ...{ rounding: 'adaround', biasCorrection: 'full' },
      }),
      sensitivity: 'both',
      fallback: 'none',
    })
    return { all, tried: found.tried, sensitivity: found.sensitivity }
  })
}

describe('calibration data that is remembered', () => {
  it('is read from the file once, changed by nobody, and gives what reading anew gives', async () => {
    const { given, remember } = watchedMemory()
    const built = network()
    const found = await search(built, remember)
    expect(given.size).toBeGreaterThan(3)
    for (const { bytes, copy } of given.values()) expect(bytes).toEqual(copy)
    expect(found.tried).toHaveLength(5)
    expect(found).toEqual(await search(built))
  })
})
