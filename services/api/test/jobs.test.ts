import { announceWorker, dismissWorker, getJob, listStages } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  bodyOf,
  endStage,
  idIn,
  inspect,
  jobBody,
  startTestApi,
  type TestApi,
  uploadPair,
} from './support.js'
import { finishJob } from './worker.js'

let api: TestApi
let ids: { model: string; dataset: string }

beforeAll(async () => {
  api = await startTestApi()
  ids = await uploadPair(api)
})
afterAll(() => api.close())

const submit = (body: object, headers: Record<string, string> = {}) =>
  api.client().post('/v1/jobs').set(headers).send(body)

/** A job whose stages are in no cache yet. */
let seed = 0
const fresh = () => ({ ...jobBody(ids), seed: ++seed })

describe('submitting a job', () => {
  it('accepts it, fills in defaults, and rings for its first stage', async () => {
    const before = await api.doorbell.countWaiting()
    const response = await submit({ ...fresh(), labels: { team: 'vision' } })
    expect(response.status).toBe(201)
    const id = idIn(response)
    expect(response.headers['location']).toBe(`/v1/jobs/${id}`)
    expect(response.body).toMatchObject({
      state: 'queued',
      model: ids.model,
      datasets: { calibration: ids.dataset },
      recipe: { steps: [{ type: 'quantize_static', per_channel: true }] },
      target: { device: 'cpu', isa: 'auto', threads: 1 },
      labels: { team: 'vision' },
      priority: 'normal',
      progress: null,
      error: null,
      report: null,
      stages: [
        { name: 'prepare', state: 'queued', from_cache: false },
        { name: '1-calibrate', state: 'blocked' },
        { name: '1-quantize_static', state: 'blocked' },
        { name: 'evaluate', state: 'blocked' },
        { name: 'report', state: 'blocked' },
      ],
      links: { events: `/v1/jobs/${id}/events` },
    })
    await expect.poll(() => api.doorbell.countWaiting()).toBeGreaterThan(before)
    const read = await api.client().get(`/v1/jobs/${id}`)
    expect(read.body).toEqual(response.body)
  })

  it('only checks and plans with validate_only', async () => {
    const before = await api.client().get('/v1/jobs?limit=200')
    const response = await submit({ ...fresh(), validate_only: true })
    expect(response.status).toBe(200)
    expect(response.body).toMatchObject({
      valid: true,
      stages: [{ name: 'prepare' }, { name: '1-calibrate' }, {}, {}, { name: 'report' }],
      artifacts: [{ kind: 'model' }, { kind: 'report' }, { kind: 'report' }],
    })
    const after = await api.client().get('/v1/jobs?limit=200')
    expect(after.body).toEqual(before.body)
  })

  it('says with validate_only how far a plan is decided, and how long it may become', async () => {
    const steps = [{ type: 'repeat', steps: [{ type: 'prune_weights' }], max_rounds: 3 }]
    const constraints = { max_drop: 0.1 }
    const response = await submit({
      ...fresh(),
      recipe: { steps },
      constraints,
      validate_only: true,
    })
    expect(response.body).toMatchObject({
      stages: [{ name: 'prepare' }, { name: '1/1-prune_weights' }, { name: '1/measure' }],
      expected_stages: 9,
    })
  })

  it('gives the same job for the same client_job_id, and refuses another request with it', async () => {
    const body = { ...fresh(), client_job_id: 'nightly/1' }
    const first = await submit(body)
    const again = await submit(body)
    const other = await submit({ ...body, seed: 999 })
    expect([first.status, again.status, other.status]).toEqual([201, 200, 409])
    expect(idIn(again)).toBe(idIn(first))
    expect(other.body).toMatchObject({ code: 'client_job_id_taken' })
  })

  it.each([
    ['an unknown step', { recipe: { steps: [{ type: 'shrink' }] } }, '#/recipe/steps/0/type'],
    [
      'an unknown parameter',
      { recipe: { steps: [{ type: 'quantize_static', bits: 4 }] } },
      '#/recipe/steps/0/bits',
    ],
    ['an unknown member', { modell: 1 }, '#/modell'],
    ['a wrong type', { seed: 'zero' }, '#/seed'],
    ['a client_job_id that is no text', { client_job_id: 5 }, '#/client_job_id'],
    [
      'a metric without labels in the model',
      { evaluation: { output: 'z' } },
      '#/evaluation/output',
    ],
    ['no data to calibrate on', { datasets: {} }, '#/datasets/calibration'],
  ])('refuses %s with a pointer', async (_name, change, pointer) => {
    const response = await submit({ ...jobBody(ids), ...change })
    expect(response.status).toBe(422)
    expect(response.type).toBe('application/problem+json')
    const { errors } = response.body as { errors: { pointer: string; detail: string }[] }
    expect(errors.map((error) => error.pointer)).toContain(pointer)
  })

  it('refuses data that does not fit the model before the job exists', async () => {
    const client = api.client()
    const dataset = idIn(await client.post('/v1/datasets').send(Buffer.from('narrow')))
    await inspect(api.pool, dataset, {
      metrics: {
        arrays: [{ name: 'x', dataType: 'float32', dims: [20, 5] }],
        samples: 20,
        labels: null,
        checks: [],
      },
    })
    const response = await submit(jobBody({ ...ids, dataset }))
    expect(response.status).toBe(422)
    expect(response.body).toMatchObject({
      code: 'dataset_shape_mismatch',
      fault: 'data',
      errors: [{ pointer: '#/datasets/calibration' }],
    })
  })

  it('waits for validation (409) and refuses what was rejected (422) or is not there (404)', async () => {
    const model = idIn(await api.client().post('/v1/models').send(Buffer.from('slow model')))
    const early = await submit(jobBody({ ...ids, model }))
    expect(early.status).toBe(409)
    expect(early.body).toMatchObject({ code: 'model_not_ready', retryable: true })
    await inspect(api.pool, model, {
      error: {
        code: 'model_truncated',
        kind: 'invalid_input',
        fault: 'model',
        title: 'Truncated',
        message: 'it ends early',
        details: {},
      },
    })
    const late = await submit(jobBody({ ...ids, model }))
    expect(late.status).toBe(422)
    expect(late.body).toMatchObject({
      code: 'model_was_rejected',
      details: { rejection: { code: 'model_truncated' } },
    })
    const missing = await submit(jobBody({ ...ids, dataset: `dst_${'0'.repeat(26)}` }))
    expect(missing.status).toBe(404)
    expect(missing.body).toMatchObject({ code: 'dataset_not_found' })
  })
})

describe('a job under way', () => {
  it('says what it waits for when no worker is known that could run its next stage', async () => {
    const id = idIn(await submit(fresh()))
    const waiting = { waiting_for: 'cpu worker' }
    const job = await api.client().get(`/v1/jobs/${id}`)
    expect(job.body).toMatchObject({
      ...waiting,
      stages: [waiting, { waiting_for: null }, {}, {}, {}],
    })
    const stages = await api.client().get(`/v1/jobs/${id}/stages`)
    expect(stages.body).toMatchObject({ data: [{ ...waiting, device: 'cpu' }, {}, {}, {}, {}] })
    const listed = await api.client().get(`/v1/jobs?state=queued&limit=1`)
    expect(listed.body).toMatchObject({ data: [{ id, ...waiting }] })
    await announceWorker(api.pool, { id: 'w', devices: ['cpu'], forMs: 60_000 })
    const known = await api.client().get(`/v1/jobs/${id}`)
    expect(known.body).toMatchObject({ waiting_for: null })
    await dismissWorker(api.pool, 'w')
  })

  it('shows progress, stages, and in the end artifacts and report', async () => {
    const id = idIn(await submit(fresh()))
    const early = await api.client().get(`/v1/jobs/${id}/report`)
    expect(early.status).toBe(409)
    expect(early.body).toMatchObject({ code: 'report_not_ready' })
    await finishJob(api, id, { report: { accuracy: { original: 0.9, result: 0.89 } } })
    const job = await api.client().get(`/v1/jobs/${id}`)
    expect(job.body).toMatchObject({
      state: 'succeeded',
      report: { headline: true },
      timings: {
        queue_seconds: expect.any(Number) as number,
        run_seconds: expect.any(Number) as number,
      },
    })
    const stages = await api.client().get(`/v1/jobs/${id}/stages`)
    expect(stages.body).toMatchObject({
      data: [
        { name: 'prepare', state: 'succeeded', attempt: 1, inputs: [{ role: 'model' }, {}] },
        {},
        {},
        {},
        {},
      ],
      has_more: false,
    })
    const artifacts = await api.client().get(`/v1/jobs/${id}/artifacts`)
    expect(artifacts.body).toMatchObject({
      data: [
        { kind: 'model', name: 'model.onnx', size_bytes: expect.any(Number) as number },
        { kind: 'report', name: 'report.json', media_type: 'application/json' },
        { kind: 'report', name: 'report.html', media_type: 'text/html; charset=utf-8' },
      ],
    })
    const report = await api.client().get(`/v1/jobs/${id}/report`)
    expect(report.status).toBe(200)
    expect(report.body).toMatchObject({
      accuracy: { original: 0.9, result: 0.89 },
      stages: [
        { name: 'prepare', from_cache: false, attempt: 1, inputs: [{}, {}] },
        {},
        {},
        {},
        {},
      ],
    })
  })

  it('shows its report as a page to whom asks for HTML, and to nobody else', async () => {
    const id = idIn(await submit(fresh()))
    await finishJob(api, id, { report: { version: 1 }, page: '<!doctype html><p>page' })
    const path = `/v1/jobs/${id}/report`
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    const page = await api.client().get(path).set('accept', browser)
    expect(page.text).toBe('<!doctype html><p>page')
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      vary: expect.stringMatching(/accept/i) as string,
    })
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain('sandbox')
    expect(policy).not.toContain('script-src')
    const named = await api.client().get(`${path}.html`)
    expect(named.text).toBe(page.text)
    const known = await api
      .client()
      .get(`${path}.html`)
      .set('if-none-match', String(named.headers['etag']))
    expect(known.status).toBe(304)
    for (const accept of [
      '*/*',
      'application/json, text/html',
      'text/html;q=0.4,application/json',
    ]) {
      const json = await api.client().get(path).set('accept', accept)
      expect(json.body).toMatchObject({ version: 1 })
    }
    const stranger = await api.client(api.bob).get(`${path}.html`)
    expect(stranger.status).toBe(404)
    expect(stranger.type).toBe('application/problem+json')
  })

  it('takes what another job of the project computed from the cache, and its report says so', async () => {
    const body = fresh()
    await finishJob(api, idIn(await submit(body)), { report: { accuracy: 1 } })
    const again = await submit(body)
    expect(again.body).toMatchObject({ state: 'succeeded', report: { headline: true } })
    const report = await api.client().get(`/v1/jobs/${idIn(again)}/report`)
    expect(report.body).toMatchObject({
      accuracy: 1,
      stages: Array.from({ length: 5 }, () => ({ from_cache: true })),
    })
  })

  it('keeps its model and dataset from being deleted until it ends', async () => {
    const pair = await uploadPair(api)
    const id = idIn(await submit(jobBody(pair)))
    for (const path of [`/v1/models/${pair.model}`, `/v1/datasets/${pair.dataset}`]) {
      const refused = await api.client().delete(path)
      expect(refused.status).toBe(409)
      expect(refused.body).toMatchObject({ code: 'resource_in_use', details: { jobs: [id] } })
    }
    await api.client().post(`/v1/jobs/${id}/cancel`)
    expect((await api.client().delete(`/v1/models/${pair.model}`)).status).toBe(204)
  })

  it('fails with a problem of the shape that requests get', async () => {
    const id = idIn(await submit(fresh()))
    const [prepare] = await listStages(api.pool, id)
    await endStage(api.pool, prepare?.id ?? '', {
      error: {
        code: 'model_run_failed',
        kind: 'invalid_input',
        fault: 'model',
        title: 'It does not run',
        message: 'node 3 failed',
        details: { node: 'conv_3' },
      },
    })
    const body = bodyOf(await api.client().get(`/v1/jobs/${id}`))
    expect(body).toMatchObject({
      state: 'failed',
      error: {
        type: '/errors/model_run_failed',
        title: 'It does not run',
        status: 422,
        detail: 'node 3 failed',
        code: 'model_run_failed',
        fault: 'model',
        retryable: false,
        details: { node: 'conv_3' },
      },
    })
    const report = await api.client().get(`/v1/jobs/${id}/report`)
    expect(report.status).toBe(404)
  })
})

describe('cancel, retry and clone', () => {
  it('cancels a queued job at once, and not twice', async () => {
    const id = idIn(await submit(fresh()))
    const canceled = await api.client().post(`/v1/jobs/${id}/cancel`)
    expect(canceled.status).toBe(200)
    expect(canceled.body).toMatchObject({ id, state: 'canceled' })
    const twice = await api.client().post(`/v1/jobs/${id}/cancel`)
    expect(twice.status).toBe(409)
    expect(twice.body).toMatchObject({ code: 'job_not_cancelable' })
  })

  it('retries a canceled job as a new one, and refuses a running one', async () => {
    const id = idIn(await submit(fresh()))
    const early = await api.client().post(`/v1/jobs/${id}/retry`)
    expect(early.status).toBe(409)
    await api.client().post(`/v1/jobs/${id}/cancel`)
    const retried = await api.client().post(`/v1/jobs/${id}/retry`)
    expect(retried.status).toBe(201)
    expect(retried.body).toMatchObject({ state: 'queued', parent_job: id })
    expect(idIn(retried)).not.toBe(id)
  })

  it('clones with overrides, checked like a new request', async () => {
    const id = idIn(await submit({ ...fresh(), labels: { a: '1' }, client_job_id: 'once' }))
    const clone = await api
      .client()
      .post(`/v1/jobs/${id}/clone`)
      .send({ recipe: { steps: [{ type: 'quantize_dynamic' }] } })
    expect(clone.status).toBe(201)
    expect(clone.body).toMatchObject({
      parent_job: id,
      labels: { a: '1' },
      client_job_id: null,
      recipe: { steps: [{ type: 'quantize_dynamic' }] },
    })
    const exact = await api.client().post(`/v1/jobs/${id}/clone`)
    expect(exact.status).toBe(201)
    const wrong = await api
      .client()
      .post(`/v1/jobs/${id}/clone`)
      .send({ recipe: { steps: [] } })
    expect(wrong.status).toBe(422)
  })
})

describe('waiting', () => {
  it('holds the answer back until the job has ended', async () => {
    const body = { ...fresh(), client_job_id: 'waited for' }
    const waiting = submit(body, { prefer: 'respond-async, wait=30' }).then((response) => response)
    const find = async () => {
      const found = await api.client().get('/v1/jobs?client_job_id=waited%20for')
      return (found.body as { data: { id: string }[] }).data[0]?.id
    }
    await expect.poll(find).toBeDefined()
    const id = (await find()) ?? ''
    await finishJob(api, id, { report: {} })
    const response = await waiting
    expect(response.status).toBe(201)
    expect(response.body).toMatchObject({ id, state: 'succeeded' })
  })

  it('answers the job as it is when the time is up', async () => {
    const response = await submit(fresh(), { prefer: 'wait=1' })
    expect(response.body).toMatchObject({ state: 'queued' })
    expect(
      await getJob(api.pool, { projectId: api.alice.projectId, id: idIn(response) }),
    ).not.toBeNull()
  })
})

describe('listing jobs', () => {
  it('filters by state, model, labels and time', async () => {
    const pair = await uploadPair(api)
    const first = idIn(await submit({ ...jobBody(pair), labels: { team: 'a', run: '1' } }))
    const second = idIn(
      await submit({ ...jobBody(pair), seed: 5, labels: { team: 'a', run: '2' } }),
    )
    await api.client().post(`/v1/jobs/${first}/cancel`)
    const list = async (query: string) => {
      const body = bodyOf(await api.client().get(`/v1/jobs?model=${pair.model}&${query}`))
      return (body as { data: { id: string }[] }).data.map(({ id }) => id)
    }
    expect(await list('')).toEqual([second, first])
    expect(await list('state=canceled')).toEqual([first])
    expect(await list('state=canceled,queued')).toEqual([second, first])
    expect(await list('label.team=a&label.run=2')).toEqual([second])
    expect(await list('label.team=b')).toEqual([])
    expect(await list('created_before=2000-01-01T00:00:00Z')).toEqual([])
    expect(await list('created_after=2000-01-01T00:00:00Z')).toEqual([second, first])
  })

  it.each(['state=done', 'colour=red', 'limit=-1', 'limit=x', 'created_after=yesterday'])(
    'refuses %s',
    async (query) => {
      const response = await api.client().get(`/v1/jobs?${query}`)
      expect(response.status).toBe(400)
      expect(response.body).toMatchObject({ code: 'parameter_invalid' })
      const { errors } = response.body as { errors: { parameter: string }[] }
      expect(errors[0]?.parameter).toBe(query.split('=')[0])
    },
  )
})
