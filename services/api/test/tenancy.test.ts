// Another project's ids answer 404 on every route that takes one, and its lists show nothing.
import { listArtifacts } from '@pare/database'
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
const ids: Record<string, string> = {}

beforeAll(async () => {
  api = await startTestApi()
  const pair = await uploadPair(api)
  const client = api.client()
  const endpoint = await client.post('/v1/webhook-endpoints').send({ url: 'https://example.com/x' })
  const job = await client.post('/v1/jobs').send(jobBody(pair))
  await finishJob(api, idIn(job), { report: {} })
  const [artifact] = await listArtifacts(api.pool, idIn(job))
  const test = await client.post(`/v1/webhook-endpoints/${idIn(endpoint)}/test`)
  const key = await client.post('/v1/api-keys').send({ name: 'second' })
  Object.assign(ids, {
    models: pair.model,
    datasets: pair.dataset,
    jobs: idIn(job),
    artifacts: artifact?.id,
    'webhook-endpoints': idIn(endpoint),
    'webhook-deliveries': idIn(test),
    'api-keys': idIn(key),
  })
})
afterAll(() => api.close())

interface RouteInfo {
  readonly method: string
  readonly path: string
}

/** From the OpenAPI document, so that a new route cannot be forgotten here. */
function routesWithId(): readonly RouteInfo[] {
  const { paths = {} } = api.app.swagger() as { paths?: Record<string, Record<string, unknown>> }
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/') && path.includes('{id}'))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ method, path })))
}

describe('a second tenant', () => {
  it('gets 404 from every route with an id of the first, and changes nothing', async () => {
    const routes = routesWithId()
    expect(routes.length).toBeGreaterThan(20)
    for (const { method, path } of routes) {
      const resource = path.split('/')[2] ?? ''
      const address = path.replace('{id}', ids[resource] ?? '')
      expect(address).not.toMatch(/undefined|\/\/|\/$/)
      const response = await send(api, method, address)
      expect([method, path, response.status]).toEqual([method, path, 404])
      expect(response.type).toBe(method === 'head' ? response.type : 'application/problem+json')
    }
    const model = await api.client().get(`/v1/models/${ids['models'] ?? ''}`)
    expect(model.body).toMatchObject({ state: 'ready' })
  })

  it('sees nothing in any list', async () => {
    const resources = ['models', 'datasets', 'jobs', 'webhook-endpoints', 'webhook-deliveries']
    for (const resource of resources) {
      const body = bodyOf(await api.client(api.bob).get(`/v1/${resource}`))
      expect(body).toEqual({ data: [], has_more: false, next_cursor: null })
    }
    const keys = await api.client(api.bob).get('/v1/api-keys')
    expect((keys.body as { data: unknown[] }).data).toHaveLength(1)
  })

  it('cannot use the model or data of the first in a job', async () => {
    const mine = await uploadPair(api, api.bob)
    const client = api.client(api.bob)
    const foreignModel = await client
      .post('/v1/jobs')
      .send(jobBody({ ...mine, model: ids['models'] ?? '' }))
    const foreignData = await client
      .post('/v1/jobs')
      .send(jobBody({ ...mine, dataset: ids['datasets'] ?? '' }))
    expect([foreignModel.status, foreignData.status]).toEqual([404, 404])
  })

  it('cannot use a cursor of the first to see more than its own', async () => {
    await uploadPair(api)
    const page = await api.client().get('/v1/models?limit=1')
    const { next_cursor: cursor } = page.body as { next_cursor: string }
    const response = await api.client(api.bob).get(`/v1/models?limit=1&cursor=${cursor}`)
    expect(response.status).toBe(400)
    expect(response.body).toMatchObject({ code: 'cursor_invalid' })
  })
})

function send({ app, bob }: TestApi, method: string, url: string) {
  return app
    .inject({
      method: method.toUpperCase() as 'GET',
      url,
      headers: { authorization: `Bearer ${bob.key}` },
      ...(method === 'post' ? { payload: {} } : {}),
      ...(method === 'patch' ? { payload: { enabled: true } } : {}),
    })
    .then(({ statusCode, headers }) => ({
      status: statusCode,
      type: String(headers['content-type']).split(';')[0],
    }))
}

describe('an API key', () => {
  it.each([
    ['missing', undefined, 'api_key_missing'],
    ['unknown', `Bearer pare_${'x'.repeat(43)}`, 'api_key_invalid'],
    ['of another kind', 'Basic abc', 'api_key_invalid'],
  ])('is refused when %s', async (_name, authorization, code) => {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await api.app.inject({ url: '/v1/models', headers })
    expect(response.statusCode).toBe(401)
    expect(response.headers['www-authenticate']).toMatch(/^Bearer/)
    expect(response.json()).toMatchObject({ code })
  })

  it('does only what its scopes allow', async () => {
    const { projectId } = api.alice
    const reader = api.client({ projectId, key: await createKey(api.pool, projectId, ['read']) })
    const writer = api.client({ projectId, key: await createKey(api.pool, projectId, ['write']) })
    expect((await reader.get('/v1/models')).status).toBe(200)
    const refused = await reader.post('/v1/models').send(Buffer.from('x'))
    expect(refused.status).toBe(403)
    expect(refused.body).toMatchObject({ code: 'scope_missing', details: { scope: 'write' } })
    expect((await writer.post('/v1/models').send(Buffer.from('x'))).status).toBe(201)
    expect((await writer.get('/v1/api-keys')).status).toBe(403)
  })

  it('works from its creation until it is revoked or expires', async () => {
    const created = await api
      .client()
      .post('/v1/api-keys')
      .send({ name: 'ci', scopes: ['read'] })
    const { key = '', id } = created.body as { key?: string; id: string }
    const own = api.client({ projectId: api.alice.projectId, key })
    expect((await own.get('/v1/jobs')).status).toBe(200)
    const revoked = await api.client().delete(`/v1/api-keys/${id}`)
    expect(revoked.body).toMatchObject({ revoked_at: expect.any(String) as string })
    expect((await own.get('/v1/jobs')).status).toBe(401)
    const past = await api
      .client()
      .post('/v1/api-keys')
      .send({ name: 'old', expires_at: '2020-01-01T00:00:00Z' })
    expect(past.status).toBe(422)
    expect(past.body).toMatchObject({ errors: [{ pointer: '#/expires_at' }] })
  })
})
