// Every step and scheme of the recipe language over HTTP, down to a file that onnxruntime runs.

import { onnxRuntime } from '@pare/inference/onnxruntime'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { Cluster, type Tenant } from './harness/cluster.js'
import { submit, uploadExamples, type Uploads } from './harness/jobs.js'

let cluster: Cluster
let tenant: Tenant
let uploads: Uploads

beforeAll(async () => {
  cluster = await Cluster.start({ apis: 1, workers: 1 })
  tenant = await cluster.tenant()
  uploads = await uploadExamples(tenant.client)
}, 120_000)
afterAll(() => cluster.close())

const calibration = { samples: 64 }

const STEPS = [
  { type: 'quantize_static', calibration, format: 'QOperator' },
  { type: 'quantize_static', calibration, activation_type: 'int8', per_channel: false },
  { type: 'quantize_static', calibration, activation_type: 'int16' },
  { type: 'quantize_static', calibration, weight_type: 'uint8' },
  { type: 'quantize_static', calibration, block_size: 16 },
  { type: 'quantize_static', calibration: { samples: 64, method: 'entropy' }, symmetric: true },
  { type: 'quantize_weights', bits: 4, algorithm: 'hqq' },
  { type: 'convert_float16' },
  { type: 'convert_float16', keep_io_types: false },
] as const

it.each(STEPS)(
  '%j',
  async (step) => {
    const { client } = tenant
    const { model, dataset } = uploads
    const request = { model, datasets: { calibration: dataset }, recipe: { steps: [step] } }
    const job = await client.untilEnded((await submit(client, request)).id)
    expect(job.error ?? null).toBeNull()
    expect(job.state).toBe('succeeded')
    const artifacts = await client.artifacts(job.id)
    const delivered = artifacts.find(({ kind }) => kind === 'model')!
    const session = await onnxRuntime().createSession(await client.download(delivered))
    expect(session.outputs.map(({ name }) => name)).toEqual(['logits'])
    await session.release()
  },
  120_000,
)
