import type { Job } from '@pare/contracts'

import type { Client } from './client.js'

export interface Uploads {
  readonly model: string
  readonly dataset: string
}

/** The example network and its calibration data, ready. */
export async function uploadExamples(client: Client): Promise<Uploads> {
  const [model, dataset] = await Promise.all([
    client.uploadReady('models', 'fashion-resnet.onnx'),
    client.uploadReady('datasets', 'fashion-calibration.npz'),
  ])
  return { model, dataset }
}

/** A short job that still has every stage; another seed computes everything anew. */
export function staticJob({ model, dataset }: Uploads, seed = 0) {
  return {
    model,
    datasets: { calibration: dataset },
    recipe: { steps: [{ type: 'quantize_static', calibration: { samples: 64 } }] },
    seed,
  }
}

export function dynamicJob({ model, dataset }: Uploads, seed = 0) {
  return {
    model,
    datasets: { validation: dataset },
    recipe: { steps: [{ type: 'quantize_dynamic' }] },
    seed,
  }
}

export function submit(client: Client, body: object, key?: string): Promise<Job> {
  return client.post('/v1/jobs', body, key === undefined ? {} : { 'idempotency-key': key })
}
