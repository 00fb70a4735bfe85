// The engine as workers start it: packed into one file, with what it starts itself beside it.
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { type KnownDataset, type KnownModel, planJob, STAGE_TABLE } from '@pare/compression'
import { parseJobRequest } from '@pare/recipe'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { EngineResult, StartMessage } from '../src/engine/protocol.js'
import { ENGINE_PATH } from '../src/engine-path.js'
import { type EngineEnd, EngineProcess } from '../src/engine-process.js'

const MODEL = fileURLToPath(new URL('../../../examples/fashion-resnet.onnx', import.meta.url))
const DATASET = fileURLToPath(new URL('../../../examples/fashion-calibration.npz', import.meta.url))

interface Order {
  readonly kind: string
  readonly params?: StartMessage['params']
  readonly files: Readonly<Record<string, string>>
}

describe('the packed engine', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-packed-engine-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function start(): Promise<EngineProcess> {
    const engine = new EngineProcess({ enginePath: ENGINE_PATH, cwd: folder })
    await engine.waitUntilReady()
    return engine
  }

  async function run({ kind, params = {}, files }: Order): Promise<EngineEnd> {
    const engine = await start()
    const inputs = Object.entries(files).map(async ([role, path]) => {
      const hash = createHash('sha256').update(await readFile(path))
      return { role, path, sha256: hash.digest('hex') }
    })
    return engine.run({
      ...{ type: 'start', kind, params, inputs: await Promise.all(inputs) },
      ...{ seed: 1, workDir: await mkdtemp(join(folder, 'work-')), threads: 1, device: 'cpu' },
    })
  }

  async function resultOf(order: Order): Promise<EngineResult> {
    const end = await run(order)
    if (end.end !== 'result') throw new Error(`${order.kind} ended so: ${JSON.stringify(end)}`)
    return end.result
  }

  it('loads onnxruntime', async () => {
    const engine = await start()
    expect(await engine.run({ type: 'probe' })).toEqual({ end: 'probed', devices: ['cpu'] })
  })

  it('runs a job with the thread that counts values and the process that measures memory', async () => {
    const model = await resultOf({ kind: 'inspect_model', files: { model: MODEL } })
    const dataset = await resultOf({ kind: 'inspect_dataset', files: { dataset: DATASET } })
    const calibration = {
      sha256: 'd',
      description: dataset.metrics as KnownDataset['description'],
    }
    const request = parseJobRequest({
      model: 'm',
      datasets: { calibration: 'd', validation: 'd' },
      recipe: {
        steps: [
          {
            ...{ type: 'quantize_static', sensitivity: 'none', bias_correction: 'none' },
            ...{ equalization: false, smooth_quant: false },
            calibration: { method: 'percentile', samples: 64 },
          },
        ],
      },
    })
    const plan = planJob(request, {
      model: { sha256: 'm', description: model.metrics as KnownModel['description'] },
      datasets: { calibration, validation: calibration },
    })
    const results = new Map<string, EngineResult>()
    const blobs = new Map([
      ['m', pathOf(model, 'canonical')],
      ['d', pathOf(dataset, 'canonical')],
    ])
    for (const { name, kind, params, inputs } of plan.stages) {
      const files: Record<string, string> = {}
      for (const { role, from } of inputs) {
        files[role] =
          'blob' in from ? blobs.get(from.blob)! : pathOf(results.get(from.stage)!, from.role)
      }
      results.set(name, await resultOf({ kind, params, files }))
    }
    expect(results.get('1-calibrate')?.metrics).toMatchObject({ kind: 'histogram' })
    expect(results.get('evaluate')?.metrics['memory']).toBeGreaterThan(0)
    expect(pathOf(results.get('report')!, 'page')).toContain(folder)
    // Engines give way to everything else on the machine.
  }, 180_000)

  it('names the sources in the stack of an unexpected error', async () => {
    const roles = Object.keys(STAGE_TABLE.quantize_static.inputs)
    const files = Object.fromEntries(roles.map((role) => [role, MODEL]))
    // Its statistics are no JSON.
    const end = await run({ kind: 'quantize_static', files })
    expect(end).toMatchObject({ end: 'failed', error: { code: 'stage_failed_unexpectedly' } })
    const { stderr } = end as Extract<EngineEnd, { end: 'failed' }>
    expect(stderr).toMatch(/at .*packages\/compression\/src\/stages\/\w[\w-]*\.ts:\d+:\d+/)
  })
})

function pathOf({ outputs }: EngineResult, role: string): string {
  const output = outputs.find((candidate) => candidate.role === role)
  if (output === undefined) throw new Error(`there is no output ${role}`)
  return output.path
}
