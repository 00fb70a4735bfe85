// Plays the worker: ends every stage of a job with real blobs, without computing anything.
import { listStages } from '@pare/database'

import { endStage, type TestApi } from './support.js'

const ROLES: Readonly<Record<string, readonly string[]>> = {
  prepare: ['model', 'shapes', 'batch', 'decisions'],
  calibrate: ['statistics', 'data_quality'],
  quantize_static: ['model', 'decisions'],
  quantize_dynamic: ['model', 'decisions'],
  evaluate: ['evaluation'],
  report: ['report', 'page'],
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  report: 'application/json',
  page: 'text/html; charset=utf-8',
}

export interface JobResults {
  readonly report: object
  readonly page?: string
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
  {
    report,
    page = '<p>page</p>',
    model = 'the model',
    salt,
  }: JobResults & { readonly salt: string },
) {
  const entries = (ROLES[kind] ?? []).map(async (role) => {
    const isModel = role === 'model' && kind !== 'prepare'
    const text = isModel
      ? model
      : role === 'report'
        ? JSON.stringify(report)
        : role === 'page'
          ? page
          : `${kind} ${role} ${salt}`
    const { sha256, sizeBytes } = await api.store.put(bytesOf(text))
    const mediaType = MEDIA_TYPES[role] ?? 'application/octet-stream'
    return [role, { sha256, sizeBytes, mediaType }] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

// eslint-disable-next-line @typescript-eslint/require-await -- a stream is what the store takes
async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
