// Plays the worker: ends every stage of a job with real blobs, without computing anything.
import { listStages } from '@pare/database'

import { endStage, type TestApi } from './support.js'

const ROLES: Readonly<Record<string, readonly string[]>> = {
  prepare: ['model', 'decisions'],
  calibrate: ['statistics'],
  quantize_static: ['model', 'decisions'],
  quantize_dynamic: ['model', 'decisions'],
  evaluate: ['evaluation'],
  report: ['report'],
}

export interface JobResults {
  readonly report: object
  readonly model?: string
}

export async function finishJob(api: TestApi, jobId: string, results: JobResults): Promise<void> {
  const done = new Set<string>()
  for (;;) {
    const stages = await listStages(api.pool, jobId)
    const next = stages.find(({ state, id }) => state === 'queued' && !done.has(id))
    if (next === undefined) return
    done.add(next.id)
    await endStage(api.pool, next.id, {
      outputs: await outputsOf(api, next.kind, { ...results, salt: next.id }),
      metrics: next.kind === 'report' ? { headline: true } : {},
    })
  }
}

async function outputsOf(
  api: TestApi,
  kind: string,
  { report, model = 'the model', salt }: JobResults & { readonly salt: string },
) {
  const entries = (ROLES[kind] ?? []).map(async (role) => {
    const isModel = role === 'model' && kind !== 'prepare'
    const text =
      role === 'report' ? JSON.stringify(report) : isModel ? model : `${kind} ${role} ${salt}`
    const { sha256, sizeBytes } = await api.store.put(bytesOf(text))
    const mediaType = role === 'report' ? 'application/json' : 'application/octet-stream'
    return [role, { sha256, sizeBytes, mediaType }] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream is what the store takes
async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
