import { getWebhookEndpoint } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { bodyOf, idIn, jobBody, startTestApi, type TestApi, uploadPair } from './support.js'

let api: TestApi

beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

const url = 'https://hooks.example.com/pare'

describe('a webhook endpoint', () => {
  it('is created with a secret that is shown once', async () => {
    const created = await api
      .client()
      .post('/v1/webhook-endpoints')
      .send({ url, events: ['job.failed'] })
    expect(created.status).toBe(201)
    const { secret = '' } = created.body as { secret?: string }
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
    expect(secret).toMatch(/^whsec_/)
    expect(key.length).toBeGreaterThanOrEqual(24)
    const read = await api.client().get(String(created.headers['location']))
    expect(read.body).toMatchObject({ url, events: ['job.failed'], enabled: true })
    expect(read.text).not.toContain('whsec_')
  })

  it.each([
    'not a url',
    'ftp://example.com',
    'http://127.0.0.1/x',
    'https://user:pw@example.com',
    '',
  ])('is refused at %j', async (bad) => {
    const response = await api.client().post('/v1/webhook-endpoints').send({ url: bad })
    expect(response.status).toBe(422)
    expect(response.body).toMatchObject({ errors: [{ pointer: '#/url' }] })
  })

  it('is changed, disabled and deleted', async () => {
    const id = idIn(await api.client().post('/v1/webhook-endpoints').send({ url }))
    const path = `/v1/webhook-endpoints/${id}`
    const changed = await api.client().patch(path).send({ description: 'ours', enabled: false })
    expect(changed.body).toMatchObject({ url, description: 'ours', enabled: false })
    const refused = await api.client().patch(path).send({ url: 'http://169.254.169.254/' })
    expect(refused.status).toBe(422)
    const test = await api.client().post(`${path}/test`)
    expect(test.status).toBe(409)
    expect(test.body).toMatchObject({ code: 'webhook_endpoint_disabled' })
    expect((await api.client().delete(path)).status).toBe(204)
    expect((await api.client().get(path)).status).toBe(404)
  })

  it('signs with both secrets while a rotation overlaps', async () => {
    const created = await api.client().post('/v1/webhook-endpoints').send({ url })
    const id = idIn(created)
    const rotated = await api
      .client()
      .post(`/v1/webhook-endpoints/${id}/rotate-secret`)
      .send({ overlap_seconds: 60 })
    expect(rotated.status).toBe(200)
    const secrets = [rotated, created].map(({ body }) => (body as { secret: string }).secret)
    expect(secrets[0]).not.toBe(secrets[1])
    const row = await getWebhookEndpoint(api.pool, { projectId: api.alice.projectId, id })
    expect(row?.secrets.map(({ secret }) => secret)).toEqual(secrets)
    const bare = await api.client().post(`/v1/webhook-endpoints/${id}/rotate-secret`)
    expect(bare.status).toBe(200)
  })
})

describe('a delivery', () => {
  it('is written for a test event, shown with its body, and replayed under the same id', async () => {
    const endpoint = idIn(await api.client().post('/v1/webhook-endpoints').send({ url }))
    const test = await api.client().post(`/v1/webhook-endpoints/${endpoint}/test`)
    expect(test.status).toBe(202)
    const path = String(test.headers['location'])
    const delivery = await api.client().get(path)
    expect(delivery.body).toMatchObject({
      endpoint,
      type: 'endpoint.test',
      state: 'pending',
      body: { type: 'endpoint.test', data: { endpoint } },
      attempt_log: [],
    })
    const replayed = await api.client().post(`${path}/replay`)
    expect(replayed.status).toBe(202)
    expect(replayed.body).toMatchObject({
      id: idIn(test),
      message: (test.body as { message: string }).message,
    })
  })

  it('is written when a job changes, and found by job', async () => {
    const endpoint = idIn(
      await api
        .client()
        .post('/v1/webhook-endpoints')
        .send({ url, events: ['job.canceled'] }),
    )
    const job = idIn(
      await api
        .client()
        .post('/v1/jobs')
        .send(jobBody(await uploadPair(api))),
    )
    await api.client().post(`/v1/jobs/${job}/cancel`)
    const body = bodyOf(
      await api
        .client()
        .get(`/v1/webhook-deliveries?job=${job}&endpoint=${endpoint}&state=pending`),
    )
    expect(body).toMatchObject({ data: [{ job, endpoint, type: 'job.canceled' }], has_more: false })
  })
})
