import { createHash } from 'node:crypto'
import { request } from 'node:http'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  bodyOf,
  DATASET_DESCRIPTION,
  idIn,
  inspect,
  MODEL_DESCRIPTION,
  startTestApi,
  type TestApi,
} from './support.js'

let api: TestApi

beforeAll(async () => {
  api = await startTestApi({ maxUploadBytes: 1000 })
})
afterAll(() => api.close())

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('uploading a model', () => {
  it('stores the bytes under their hash and queues an inspection', async () => {
    const response = await api
      .client()
      .post('/v1/models?name=net.onnx')
      .type('application/octet-stream')
      .send(Buffer.from('bytes 1'))
    expect(response.status).toBe(201)
    expect(response.body).toMatchObject({
      state: 'validating',
      name: 'net.onnx',
      sha256: sha256('bytes 1'),
      size_bytes: 7,
      inputs: null,
      error: null,
    })
    expect(response.headers['location']).toBe(`/v1/models/${idIn(response)}`)
    expect(await api.store.stat(sha256('bytes 1'))).toMatchObject({ sizeBytes: 7 })
    await expect.poll(() => api.doorbell.countWaiting()).toBeGreaterThan(0)
  })

  it('takes any media type, JSON included, as bytes', async () => {
    const client = api.client()
    const json = await client.post('/v1/models').type('json').send('{"not": "parsed')
    expect(json.status).toBe(201)
    expect(json.body).toMatchObject({
      sha256: sha256('{"not": "parsed'),
      name: expect.stringMatching(/^model-/) as string,
    })
  })

  it('answers 200 with the same model for the same bytes, and 201 in another project', async () => {
    const bytes = Buffer.from('bytes 2')
    const first = await api.client().post('/v1/models').send(bytes)
    const again = await api.client().post('/v1/models?name=other').send(bytes)
    const elsewhere = await api.client(api.bob).post('/v1/models').send(bytes)
    expect([first.status, again.status, elsewhere.status]).toEqual([201, 200, 201])
    expect(idIn(again)).toBe(idIn(first))
    expect(idIn(elsewhere)).not.toBe(idIn(first))
  })

  it('shows what the inspection found', async () => {
    const id = idIn(await api.client().post('/v1/models').send(Buffer.from('bytes 3')))
    await inspect(api.pool, id, { metrics: MODEL_DESCRIPTION })
    const body = bodyOf(await api.client().get(`/v1/models/${id}`))
    expect(body).toMatchObject({
      state: 'ready',
      inputs: MODEL_DESCRIPTION.inputs,
      outputs: MODEL_DESCRIPTION.outputs,
      op_types: { Gemm: 1 },
      parameters: 15,
    })
  })

  it('shows why it was rejected, as a problem', async () => {
    const id = idIn(await api.client().post('/v1/models').send(Buffer.from('bytes 4')))
    await inspect(api.pool, id, {
      error: {
        code: 'model_truncated',
        kind: 'invalid_input',
        fault: 'model',
        title: 'The file ends early',
        message: 'the file ends inside node 3',
        details: { offset: 120 },
      },
    })
    const body = bodyOf(await api.client().get(`/v1/models/${id}`))
    expect(body).toMatchObject({
      state: 'rejected',
      error: {
        code: 'model_truncated',
        detail: 'the file ends inside node 3',
        status: 422,
        fault: 'model',
        details: { offset: 120 },
      },
    })
  })

  it.each([
    ['no bytes', Buffer.alloc(0), {}, 400, 'body_required'],
    ['too many bytes', Buffer.alloc(1001), {}, 413, 'body_too_large'],
    [
      'a wrong hash',
      Buffer.from('x'),
      { 'x-content-sha256': 'a'.repeat(64) },
      400,
      'digest_mismatch',
    ],
    ['a malformed hash', Buffer.from('x'), { 'x-content-sha256': 'abc' }, 400, 'parameter_invalid'],
  ])('refuses %s', async (...[, bytes, headers, status, code]) => {
    const response = await api.client().post('/v1/models').set(headers).send(bytes)
    expect(response.status).toBe(status)
    expect(response.type).toBe('application/problem+json')
    expect(response.body).toMatchObject({ code, status })
  })

  it('refuses too many bytes that come without a length', async () => {
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(100))
        controller.close()
      },
    })
    const response = await fetch(`${api.url}/v1/models`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.alice.key}` },
      body: stream,
      duplex: 'half',
    })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'body_too_large' })
  })

  it('leaves nothing of an upload whose connection ends early', async () => {
    const before = await api.client().get('/v1/models?limit=200')
    const upload = request(`${api.url}/v1/models`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.alice.key}`, 'content-length': '900' },
    })
    upload.on('error', () => undefined)
    await new Promise<void>((resolve) => upload.write('the beginning', () => resolve()))
    const closed = new Promise((resolve) => upload.on('close', resolve))
    upload.destroy()
    await closed
    const after = await api.client().get('/v1/models?limit=200')
    expect(after.body).toEqual(before.body)
    expect(await api.store.stat(sha256('the beginning'))).toBeNull()
  })

  it('checks a Content-Digest', async () => {
    const digest = createHash('sha256').update('bytes 5').digest('base64')
    const good = await api
      .client()
      .post('/v1/models')
      .set('content-digest', `sha-256=:${digest}:`)
      .send(Buffer.from('bytes 5'))
    const bad = await api
      .client()
      .post('/v1/models')
      .set('content-digest', `sha-256=:${digest}:`)
      .send(Buffer.from('bytes 6'))
    expect(good.status).toBe(201)
    expect(bad.body).toMatchObject({ code: 'digest_mismatch' })
  })
})

describe('uploading a dataset', () => {
  it('takes the name of the labels into its identity', async () => {
    const bytes = Buffer.from('data 1')
    const plain = await api.client().post('/v1/datasets').send(bytes)
    const labelled = await api.client().post('/v1/datasets?labels=target').send(bytes)
    expect([plain.status, labelled.status]).toEqual([201, 201])
    expect(labelled.body).toMatchObject({ labels: 'target', state: 'validating' })
    await inspect(api.pool, idIn(plain), { metrics: DATASET_DESCRIPTION })
    const body = bodyOf(await api.client().get(`/v1/datasets/${idIn(plain)}`))
    expect(body).toMatchObject({ state: 'ready', samples: 20, labels: 'label' })
  })
})

describe('deleting an upload', () => {
  it('hides it for good and frees its bytes for a new upload', async () => {
    const client = api.client()
    const id = idIn(await client.post('/v1/models').send(Buffer.from('bytes 7')))
    expect((await client.delete(`/v1/models/${id}`)).status).toBe(204)
    expect((await client.delete(`/v1/models/${id}`)).status).toBe(404)
    const gone = await client.get(`/v1/models/${id}`)
    expect(gone.status).toBe(404)
    expect(gone.body).toMatchObject({ code: 'model_not_found' })
    const again = await client.post('/v1/models').send(Buffer.from('bytes 7'))
    expect(again.status).toBe(201)
  })
})
