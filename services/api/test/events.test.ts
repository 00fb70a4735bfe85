import { listStages, reportProgress, withTransaction } from '@pare/database'
import { claimStage } from '@pare/database'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  bodyOf,
  createKey,
  idIn,
  jobBody,
  startTestApi,
  type TestApi,
  uploadPair,
} from './support.js'
import { finishJob } from './worker.js'

let api: TestApi
let ids: { model: string; dataset: string }
let seed = 0

beforeAll(async () => {
  api = await startTestApi({ heartbeatMs: 50, maxStreams: 2 })
  ids = await uploadPair(api)
})
afterAll(() => api.close())

async function submit(): Promise<string> {
  return idIn(
    await api
      .client()
      .post('/v1/jobs')
      .send({ ...jobBody(ids), seed: ++seed }),
  )
}

interface Frame {
  readonly id?: string
  readonly event?: string
  readonly data?: string
  readonly retry?: string
  readonly comment?: string
}

interface Stream {
  readonly response: Response
  readonly frames: AsyncGenerator<Frame, undefined>
  readonly abort: () => void
}

async function openStream(
  job: string,
  { headers = {}, query = '', key = api.alice.key } = {},
): Promise<Stream> {
  const controller = new AbortController()
  const response = await fetch(`${api.url}/v1/jobs/${job}/events${query}`, {
    headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream', ...headers },
    signal: controller.signal,
  })
  return { response, frames: readFrames(response), abort: () => controller.abort() }
}

async function* readFrames(response: Response): AsyncGenerator<Frame, undefined> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    const parts = text.split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) yield parseFrame(part)
  }
}

function parseFrame(text: string): Frame {
  if (text.startsWith(':')) return { comment: text.slice(1).trim() }
  const fields = text.split('\n').map((line) => {
    const at = line.indexOf(': ')
    return [line.slice(0, at), line.slice(at + 2)]
  })
  return Object.fromEntries(fields) as Frame
}

async function collect(frames: AsyncGenerator<Frame, undefined>): Promise<readonly Frame[]> {
  const all: Frame[] = []
  for await (const frame of frames) all.push(frame)
  return all
}

async function nextEvent(frames: AsyncGenerator<Frame, undefined>, type: string): Promise<Frame> {
  for (;;) {
    const { value, done } = await frames.next()
    if (done === true) throw new Error(`the stream ended before ${type}`)
    if (value.event === type) return value
  }
}

async function listed(job: string, query = ''): Promise<{ seq: number; type: string }[]> {
  const body = bodyOf(await api.client().get(`/v1/jobs/${job}/events?limit=200${query}`))
  return (body as { data: { seq: number; type: string }[] }).data
}

describe('the list of events', () => {
  it('is numbered without a gap, oldest first, and pages by number', async () => {
    const job = await submit()
    await finishJob(api, job, { report: {} })
    const all = await listed(job)
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1))
    expect(all.at(0)?.type).toBe('job.queued')
    expect(all.at(-1)?.type).toBe('job.succeeded')
    expect(await listed(job, '&after=2')).toEqual(all.slice(2))
    const page = await api.client().get(`/v1/jobs/${job}/events?limit=2`)
    expect(page.body).toMatchObject({ has_more: true, next_cursor: '2' })
    const next = await api.client().get(`/v1/jobs/${job}/events?limit=200&cursor=2`)
    expect(next.body).toEqual({ data: all.slice(2), has_more: false, next_cursor: null })
  })
})

describe('the stream of events', () => {
  it('sends what was, what comes, and ends with the job', async () => {
    const job = await submit()
    const { response, frames } = await openStream(job)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(response.headers.get('x-request-id')).toMatch(/^req_/)
    expect((await frames.next()).value).toEqual({ retry: '3000' })
    await nextEvent(frames, 'job.queued')
    await finishJob(api, job, { report: {} })
    const rest = await collect(frames)
    const last = rest.at(-1)
    expect(last?.event).toBe('job.succeeded')
    expect(JSON.parse(last?.data ?? '')).toMatchObject({
      job,
      type: 'job.succeeded',
      seq: Number(last?.id),
      data: { state: 'succeeded' },
    })
  })

  it('sends progress as it is made, and comments while nothing happens', async () => {
    const job = await submit()
    const { frames, abort } = await openStream(job)
    await nextEvent(frames, 'job.queued')
    for (;;) {
      const { value, done } = await frames.next()
      if (done === true) throw new Error('the stream ended')
      if (value.comment === 'hb') break
    }
    const [stage] = await listStages(api.pool, job)
    const request = { stageId: stage?.id ?? '', workerId: 'test', leaseMs: 60_000 }
    const claimed = await withTransaction(api.pool, (tx) => claimStage(tx, request))
    if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome)
    const { stageId, token } = claimed.claim
    const progress = { done: 1, total: 4, unit: 'nodes' }
    await withTransaction(api.pool, (tx) => reportProgress(tx, { stageId, token, progress }))
    const frame = await nextEvent(frames, 'job.progress')
    expect(frame.data).toContain('"unit":"nodes"')
    abort()
  })

  it('resumes after any event without a loss or a repetition', async () => {
    const job = await submit()
    await finishJob(api, job, { report: {} })
    const all = await listed(job)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: all.length - 1 }),
        fc.boolean(),
        async (after, byHeader) => {
          const { frames } = await openStream(
            job,
            byHeader
              ? { headers: { 'last-event-id': String(after) } }
              : { query: `?after=${after}` },
          )
          const events = (await collect(frames)).filter(({ id }) => id !== undefined)
          expect(events.map(({ id }) => Number(id))).toEqual(all.slice(after).map(({ seq }) => seq))
        },
      ),
      { numRuns: 12 },
    )
  })

  it('answers 204 when the job has ended and nothing is left, so that a browser stops', async () => {
    const job = await submit()
    await api.client().post(`/v1/jobs/${job}/cancel`)
    const last = (await listed(job)).at(-1)?.seq ?? 0
    const { response } = await openStream(job, { headers: { 'last-event-id': String(last) } })
    expect(response.status).toBe(204)
  })

  it('takes an id that it never gave out as none', async () => {
    const job = await submit()
    const { frames, abort } = await openStream(job, { headers: { 'last-event-id': 'x' } })
    expect(await nextEvent(frames, 'job.queued')).toMatchObject({ id: '1' })
    abort()
  })

  it('is limited in number for each key, and counts only open ones', async () => {
    const key = await createKey(api.pool, api.alice.projectId, ['read'])
    const job = await submit()
    const first = await openStream(job, { key })
    const second = await openStream(job, { key })
    const third = await openStream(job, { key })
    expect(third.response.status).toBe(429)
    expect(await third.response.json()).toMatchObject({ code: 'too_many_streams' })
    first.abort()
    await expect
      .poll(async () => {
        const { response, abort } = await openStream(job, { key })
        abort()
        return response.status
      })
      .toBe(200)
    second.abort()
  })

  it('tells its clients to connect again when the server stops', async () => {
    const other = await startTestApi()
    const pair = await uploadPair(other)
    const job = idIn(await other.client().post('/v1/jobs').send(jobBody(pair)))
    const response = await fetch(`${other.url}/v1/jobs/${job}/events`, {
      headers: { authorization: `Bearer ${other.alice.key}`, accept: 'text/event-stream' },
    })
    const frames = readFrames(response)
    await nextEvent(frames, 'job.queued')
    const closed = other.close()
    const rest = await collect(frames)
    expect(rest.at(-1)?.event).toBe('server_shutdown')
    await closed
  })
})
