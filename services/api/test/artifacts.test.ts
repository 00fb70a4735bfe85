import { createHash } from 'node:crypto'

import type { Response } from 'supertest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { bodyOf, idIn, jobBody, startTestApi, type TestApi, uploadPair } from './support.js'
import { finishJob } from './worker.js'

let api: TestApi
let path: string
const text = 'the compressed model'
const sha256 = createHash('sha256').update(text).digest('hex')

beforeAll(async () => {
  api = await startTestApi()
  const job = idIn(
    await api
      .client()
      .post('/v1/jobs')
      .send(jobBody(await uploadPair(api))),
  )
  await finishJob(api, job, { report: {}, model: text })
  const body = bodyOf(await api.client().get(`/v1/jobs/${job}/artifacts`))
  path = `/v1/artifacts/${(body as { data: { id: string }[] }).data[0]?.id ?? ''}`
})
afterAll(() => api.close())

describe('an artifact', () => {
  it('has metadata', async () => {
    const body = bodyOf(await api.client().get(path))
    expect(body).toMatchObject({
      kind: 'model',
      name: 'model.onnx',
      sha256,
      size_bytes: text.length,
      links: { content: `${path}/content` },
    })
  })

  it('is downloaded with its hash, its name and its length', async () => {
    const response = await api.client().get(`${path}/content`).buffer().parse(asText)
    expect(response.status).toBe(200)
    expect(response.body).toBe(text)
    expect(response.headers).toMatchObject({
      etag: `"${sha256}"`,
      'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
      'content-disposition': 'attachment; filename="model.onnx"',
      'content-length': String(text.length),
      'content-type': 'application/octet-stream',
    })
  })

  it('is not sent again to whom has it', async () => {
    const response = await api.client().get(`${path}/content`).set('if-none-match', `"${sha256}"`)
    expect(response.status).toBe(304)
  })

  it.each([
    ['bytes=4-13', 'compressed', '4-13'],
    ['bytes=15-', 'model', '15-19'],
    ['bytes=-5', 'model', '15-19'],
    ['bytes=0-999', text, '0-19'],
  ])('is sent in parts: %s', async (range, part, sent) => {
    const response = await api
      .client()
      .get(`${path}/content`)
      .set('range', range)
      .buffer()
      .parse(asText)
    expect(response.status).toBe(206)
    expect(response.body).toBe(part)
    expect(response.headers['content-range']).toBe(`bytes ${sent}/20`)
  })

  it('has no bytes after its end', async () => {
    const response = await api.client().get(`${path}/content`).set('range', 'bytes=20-')
    expect(response.status).toBe(416)
    expect(response.body).toMatchObject({ code: 'range_not_satisfiable' })
  })

  it('is streamed, not redirected, by a store that clients cannot reach', async () => {
    const response = await api.client().get(`${path}/content?redirect=true`).buffer().parse(asText)
    expect(response.status).toBe(200)
    expect(response.body).toBe(text)
  })

  it('answers HEAD without the bytes', async () => {
    const response = await api.client().head(`${path}/content`)
    expect(response.status).toBe(200)
    expect(response.headers['content-length']).toBe('20')
  })
})

function asText(response: Response, done: (error: Error | null, body: string) => void): void {
  let body = ''
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => (body += chunk))
  response.on('end', () => done(null, body))
}
