// What every route promises: problems for every failure, ids, headers, a true OpenAPI document.
import { WEBHOOK_EVENT_TYPES as WIRE_TYPES } from '@pare/contracts'
import { WEBHOOK_EVENT_TYPES } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { bodyOf, startTestApi, type TestApi } from './support.js'

let api: TestApi

beforeAll(async () => {
  api = await startTestApi({ maxBodyBytes: 2000, requestsPerMinute: 500 })
})
afterAll(() => api.close())

interface Operation {
  readonly responses: Readonly<Record<string, { content?: Record<string, unknown> }>>
}

describe('the OpenAPI document', () => {
  it('is version 3.1 and shows shared schemas once', async () => {
    const response = await api.client().get('/openapi.json')
    const document = bodyOf(response) as {
      openapi: string
      components: { schemas: object }
      paths: Record<string, Record<string, Operation>>
    }
    expect(response.status).toBe(200)
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Problem', 'Job', 'Model', 'Dataset', 'Recipe']),
    )
    const paths = Object.keys(document.paths)
    for (const path of ['/v1/models', '/v1/jobs/{id}/events', '/v1/artifacts/{id}/content']) {
      expect(paths).toContain(path)
    }
    expect(JSON.stringify(document)).toContain('"enum":["quantize_static"]')
  })

  it('promises problem+json for every failure', () => {
    const { paths } = api.app.swagger() as unknown as {
      paths: Record<string, Record<string, Operation>>
    }
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { responses }] of Object.entries(operations)) {
        for (const [status, response] of Object.entries(responses)) {
          if (Number(status) < 400) continue
          expect([method, path, status, Object.keys(response.content ?? {})]).toEqual([
            method,
            path,
            status,
            ['application/problem+json'],
          ])
        }
      }
    }
  })

  it('is readable by people, without help from another server', async () => {
    const page = await api.client().get('/docs/').redirects(1)
    expect(page.status).toBe(200)
    expect(page.text).toContain('swagger-ui')
    expect(page.text).not.toMatch(/(src|href)="https?:/)
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    expect((await api.client().get('/docs/static/swagger-ui-bundle.js')).status).toBe(200)
    const initializer = await api.client().get('/docs/static/swagger-initializer.js')
    expect(initializer.status).toBe(200)
  })

  it('names the webhook event types that the database sends', () => {
    expect(WIRE_TYPES).toEqual(WEBHOOK_EVENT_TYPES)
  })
})

describe('a failure', () => {
  const json = { 'content-type': 'application/json' }
  it.each([
    ['an unknown address', 'GET', '/v1/nothing', {}, undefined, 404, 'route_not_found'],
    ['an unknown address outside', 'GET', '/nothing', {}, undefined, 404, 'route_not_found'],
    ['a wrong method', 'PUT', '/v1/jobs', json, '{}', 404, 'route_not_found'],
    ['a malformed address', 'GET', '/v1/jobs/%zz', {}, undefined, 400, 'url_malformed'],
    ['malformed JSON', 'POST', '/v1/jobs', json, '{"model":', 400, 'body_malformed'],
    ['no JSON at all', 'POST', '/v1/jobs', json, '', 400, 'body_required'],
    ['no body', 'POST', '/v1/jobs', {}, undefined, 400, 'body_required'],
    [
      'another media type',
      'POST',
      '/v1/jobs',
      { 'content-type': 'text/csv' },
      'a',
      415,
      'media_type_unsupported',
    ],
    [
      'a large body',
      'POST',
      '/v1/jobs',
      json,
      `{"a":"${'x'.repeat(3000)}"}`,
      413,
      'body_too_large',
    ],
    ['a list as body', 'POST', '/v1/jobs', json, '[]', 422, 'job_request_invalid'],
    [
      'a tower of brackets',
      'POST',
      '/v1/jobs',
      json,
      '['.repeat(900) + ']'.repeat(900),
      422,
      'job_request_invalid',
    ],
    [
      'a body with faults',
      'POST',
      '/v1/webhook-endpoints',
      json,
      '{"events":["x"]}',
      422,
      'body_invalid',
    ],
    [
      'an unknown parameter',
      'GET',
      '/v1/models?colour=red',
      {},
      undefined,
      400,
      'parameter_invalid',
    ],
    ['a forged cursor', 'GET', '/v1/models?cursor=AAAA', {}, undefined, 400, 'cursor_invalid'],
    ['an id of nothing', 'GET', '/v1/jobs/job_1', {}, undefined, 404, 'job_not_found'],
    ['a text with a NUL', 'GET', '/v1/jobs/job_%00', {}, undefined, 422, 'text_invalid'],
  ] as const)('is a problem: %s', async (...[, method, url, headers, payload, status, code]) => {
    const response = await api.app.inject({
      method,
      url,
      headers: { ...headers, authorization: `Bearer ${api.alice.key}` },
      ...(payload === undefined ? {} : { payload }),
    })
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    const id = String(response.headers['x-request-id'])
    expect(response.json()).toMatchObject({
      status,
      code,
      type: `/errors/${code}`,
      title: expect.any(String) as string,
      detail: expect.any(String) as string,
      instance: `urn:pare:request:${id}`,
      request_id: id,
      fault: 'client',
    })
    expect(response.statusCode).toBe(status)
  })

  it('has a page behind its type', async () => {
    const body = bodyOf(await api.client().get('/errors/model_not_ready'))
    expect(body).toMatchObject({ code: 'model_not_ready', status: 409, retryable: true })
    expect((await api.client().get('/errors/no_such_code')).status).toBe(404)
  })

  it('inside the service tells nothing but the id to ask about', async () => {
    const { pool } = api
    const query = pool.query.bind(pool)
    const broken = () => Promise.reject(new Error('column "secret" of host 10.0.0.1'))
    Object.assign(pool, { query: broken })
    try {
      const response = await api.client().get('/v1/webhook-endpoints')
      expect(response.status).toBe(500)
      expect(response.body).toMatchObject({ code: 'internal_error', fault: 'internal' })
      expect(response.text).not.toMatch(/secret|10\.0\.0\.1/)
    } finally {
      Object.assign(pool, { query })
    }
  })
})

describe('every answer', () => {
  it('has security headers and a request id, taken from the caller when harmless', async () => {
    const own = await api.client().get('/v1/targets').set('x-request-id', 'build-17')
    expect(own.headers['x-request-id']).toBe('build-17')
    expect(own.headers['x-content-type-options']).toBe('nosniff')
    expect(own.headers['content-security-policy']).toBeDefined()
    const odd = await api.client().get('/v1/targets').set('x-request-id', 'a b<script>')
    expect(odd.headers['x-request-id']).toMatch(/^req_[0-9a-f-]{36}$/)
  })
})

describe('operations', () => {
  it('tells whether it is alive and ready, without a key', async () => {
    const health = await api.app.inject('/healthz')
    expect(health.json()).toEqual({ status: 'ok' })
    const ready = await api.app.inject('/readyz')
    expect(ready.json()).toEqual({
      status: 'ready',
      checks: { process: 'ok', database: 'ok', queue: 'ok', storage: 'ok' },
    })
  })

  it('shows metrics by route', async () => {
    await api.client().get('/v1/models')
    const { payload } = await api.app.inject('/metrics')
    expect(payload).toMatch(
      /pare_http_request_duration_seconds_count\{.*route="\/v1\/models".*\} \d+/,
    )
    expect(payload).toMatch(/pare_queue_waiting \d+/)
  })

  it('describes targets', async () => {
    const body = bodyOf(await api.client().get('/v1/targets'))
    expect(body).toMatchObject({
      data: [{ device: 'cpu', default_isa: 'auto' }, { device: 'cuda' }],
    })
  })
})

describe('the rate limit', () => {
  it('counts down, says when to come back, and is one key’s own', async () => {
    const limited = await startTestApi({ requestsPerMinute: 3 })
    try {
      const client = limited.client()
      const first = await client.get('/v1/targets')
      expect(first.headers['ratelimit-policy']).toBe('"default";q=3;w=60')
      expect(first.headers['ratelimit']).toMatch(/^"default";r=2;t=\d+$/)
      await client.get('/v1/targets')
      await client.get('/v1/targets')
      const refused = await client.get('/v1/targets')
      expect(refused.status).toBe(429)
      expect(refused.type).toBe('application/problem+json')
      expect(refused.body).toMatchObject({
        code: 'rate_limited',
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        retryable: true,
        'violated-policies': ['default'],
      })
      const seconds = /t=(\d+)/.exec(String(refused.headers['ratelimit']))?.[1]
      expect(refused.headers['retry-after']).toBe(seconds)
      expect((await limited.client(limited.bob).get('/v1/targets')).status).toBe(200)
    } finally {
      await limited.close()
    }
  })
})
