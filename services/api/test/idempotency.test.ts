import { idempotencyBegin, withTransaction } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { idIn, jobBody, startTestApi, type TestApi, uploadPair } from './support.js'

let api: TestApi
let ids: { model: string; dataset: string }

beforeAll(async () => {
  api = await startTestApi({ idempotencyWaitMs: 2000 })
  ids = await uploadPair(api)
})
afterAll(() => api.close())

const post = (path: string, key: string, body: object | Buffer = {}) =>
  api.client().post(path).set('idempotency-key', key).send(body)

describe('an idempotency key', () => {
  it('makes one job of 200 parallel submissions', async () => {
    const body = { ...jobBody(ids), labels: { test: 'parallel' } }
    const requests = Array.from({ length: 200 }, () => post('/v1/jobs', '"parallel"', body))
    const responses = await Promise.all(requests)
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(responses.map(idIn)).size).toBe(1)
    const replayed = responses.filter(({ headers }) => headers['idempotent-replayed'] === 'true')
    expect(replayed).toHaveLength(199)
    const list = await api.client().get('/v1/jobs?label.test=parallel')
    expect((list.body as { data: unknown[] }).data).toHaveLength(1)
  })

  it('is the same quoted and bare, and gives the first answer again', async () => {
    const body = { ...jobBody(ids), seed: 1 }
    const first = await post('/v1/jobs', '"quoted-1"', body)
    const second = await post('/v1/jobs', 'quoted-1', body)
    expect(second.status).toBe(201)
    expect(second.headers['location']).toBe(first.headers['location'])
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(idIn(second)).toBe(idIn(first))
  })

  it('does not care in which order members stand', async () => {
    const first = await post('/v1/jobs', 'order', { ...jobBody(ids), seed: 2 })
    const second = await post('/v1/jobs', 'order', { seed: 2, ...jobBody(ids) })
    expect(idIn(second)).toBe(idIn(first))
  })

  it('refuses another request with 422 and keeps the first', async () => {
    const first = await post('/v1/jobs', 'reused', { ...jobBody(ids), seed: 3 })
    const other = await post('/v1/jobs', 'reused', { ...jobBody(ids), seed: 4 })
    expect(other.status).toBe(422)
    expect(other.body).toMatchObject({ code: 'idempotency_key_reused' })
    const again = await post('/v1/jobs', 'reused', { ...jobBody(ids), seed: 3 })
    expect(idIn(again)).toBe(idIn(first))
  })

  it.each(['', '"unclosed', 'ä', ' '.repeat(3), 'x'.repeat(256)])(
    'is refused when malformed: %j',
    async (key) => {
      const response = await fetch(`${api.url}/v1/jobs`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${api.alice.key}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify(jobBody(ids)),
      })
      const isPlainText = key === '"unclosed'
      expect(response.status).toBe(isPlainText ? 201 : 400)
      if (isPlainText) return
      expect(await response.json()).toMatchObject({ code: 'idempotency_key_invalid' })
    },
  )

  it('repeats a refusal that the same request would meet again', async () => {
    const body = { ...jobBody(ids), recipe: { steps: [{ type: 'shrink' }] } }
    const first = await post('/v1/jobs', 'refused', body)
    const second = await post('/v1/jobs', 'refused', body)
    expect([first.status, second.status]).toEqual([422, 422])
    expect(second.type).toBe('application/problem+json')
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(second.body).toMatchObject({
      code: 'job_request_invalid',
      request_id: second.headers['x-request-id'],
    })
  })

  it('does not keep what time can cure', async () => {
    const model = idIn(await api.client().post('/v1/models').send(Buffer.from('not yet')))
    const early = await post('/v1/jobs', 'cured', jobBody({ ...ids, model }))
    expect(early.status).toBe(409)
    const other = await post('/v1/jobs', 'cured', { ...jobBody(ids), seed: 77 })
    expect(other.status).toBe(201)
  })

  it('takes the bytes of an upload into account', async () => {
    const first = await post('/v1/models', 'upload', Buffer.from('one'))
    const again = await post('/v1/models', 'upload', Buffer.from('one'))
    const other = await post('/v1/models', 'upload', Buffer.from('two'))
    expect([first.status, again.status, other.status]).toEqual([201, 201, 422])
    expect(idIn(again)).toBe(idIn(first))
    expect(again.headers['idempotent-replayed']).toBe('true')
  })

  it('is the business of one project: the same key elsewhere is another', async () => {
    const first = await post('/v1/models', 'shared', Buffer.from('three'))
    const other = await api
      .client(api.bob)
      .post('/v1/models')
      .set('idempotency-key', 'shared')
      .send(Buffer.from('four'))
    expect(other.status).toBe(201)
    expect(idIn(other)).not.toBe(idIn(first))
  })

  it('answers 409 while another request holds it for long, and works again after', async () => {
    const scope = `${api.alice.projectId} POST /v1/webhook-endpoints`
    const url = 'https://example.com/held'
    const held = new Error('the other request failed')
    await expect(
      withTransaction(api.pool, async (tx) => {
        await idempotencyBegin(tx, { scope, key: 'held', fingerprint: 'of another process' })
        const waiting = await post('/v1/webhook-endpoints', 'held', { url })
        expect(waiting.status).toBe(409)
        expect(waiting.headers['retry-after']).toBe('1')
        expect(waiting.body).toMatchObject({ code: 'idempotency_key_in_progress', retryable: true })
        throw held
      }),
    ).rejects.toBe(held)
    const free = await post('/v1/webhook-endpoints', 'held', { url })
    expect(free.status).toBe(201)
  })

  it('never stores the secret of a webhook endpoint or an API key', async () => {
    const url = 'https://example.com/hook'
    const first = await post('/v1/webhook-endpoints', 'secret', { url })
    const again = await post('/v1/webhook-endpoints', 'secret', { url })
    expect(first.body).toMatchObject({ secret: expect.stringMatching(/^whsec_/) as string })
    expect(idIn(again)).toBe(idIn(first))
    expect(again.body).not.toHaveProperty('secret')
    const key = await post('/v1/api-keys', 'secret', { name: 'ci' })
    expect(key.body).toMatchObject({ key: expect.stringMatching(/^pare_/) as string })
    const { rows } = await api.pool.query('SELECT response::text FROM idempotency')
    expect(JSON.stringify(rows)).not.toMatch(/whsec_|"key": ?"pare_/)
  })
})
