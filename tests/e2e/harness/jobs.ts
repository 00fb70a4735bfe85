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

/**
 * A job whose plan grows: every other one has a step behind its rounds. Jobs of one number are the same
 * job, those of different numbers share no round.
 */
export function growingJob({ model, dataset }: Uploads, number: number) {
  const from = 0.2 + 0.01 * (number % 20)
  const pruning = { type: 'prune_weights', sparsity: { from, to: 0.8 } }
  const repeat = { type: 'repeat', steps: [pruning], max_rounds: 4 }
  return {
    model,
    datasets: { validation: dataset },
    recipe: { steps: number % 2 === 0 ? [repeat] : [repeat, { type: 'convert_float16' }] },
    constraints: { max_drop: 0.02 },
    seed: number,
  }
}

export function submit(client: Client, body: object, key?: string): Promise<Job> {
  return client.post('/v1/jobs', body, key === undefined ? {} : { 'idempotency-key': key })
}
