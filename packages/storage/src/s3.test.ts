import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import S3rver from 's3rver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BlobStore } from './blob-store.js'
import { describeBlobStore, filesBelow } from './conformance.js'
import { openBlobStore } from './open-blob-store.js'
import { partSizeOf } from './s3.js'

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }

interface S3Server {
  readonly endpoint: string
  stop(): Promise<void>
}

async function startServer(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'pare-s3-server-'))
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'blobs', configs: [] }],
  })
  const { port } = await server.run()
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

describeBlobStore('an S3 bucket', async () => {
  const server = await startServer()
  const spoolRoot = await mkdtemp(join(tmpdir(), 'pare-s3-spool-'))
  const url = `s3://blobs/some/prefix?endpoint=${encodeURIComponent(server.endpoint)}&region=us-east-1`
  const store = await openBlobStore(url, { credentials, spoolRoot })
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  return {
    store,
    async corrupt(sha256, bytes) {
      const Key = `some/prefix/blobs/${sha256.slice(0, 2)}/${sha256.slice(2)}`
      await client.send(new PutObjectCommand({ Bucket: 'blobs', Key, Body: bytes }))
    },
    leftovers: () => filesBelow(spoolRoot),
    async dispose() {
      client.destroy()
      await store.close()
      await server.stop()
      await rm(spoolRoot, { recursive: true, force: true })
    },
  }
})

describe('an S3 bucket', () => {
  let server: S3Server
  let spoolRoot: string
  let store: BlobStore
  beforeAll(async () => {
    server = await startServer()
    spoolRoot = await mkdtemp(join(tmpdir(), 'pare-s3-spool-'))
    const url = `s3://blobs?endpoint=${encodeURIComponent(server.endpoint)}`
    store = await openBlobStore(url, { credentials, spoolRoot })
  })
  afterAll(async () => {
    await store.close()
    await server.stop()
    await rm(spoolRoot, { recursive: true, force: true })
  })

  it('lends a blob to a client by a signed URL', async () => {
    const file = join(spoolRoot, 'upload')
    await writeFile(file, 'hello')
    const { sha256 } = await store.putFile(file)
    const url = await store.presignGet?.(sha256, {
      expiresInSeconds: 60,
      fileName: 'model.onnx',
      contentType: 'application/octet-stream',
    })
    const response = await fetch(url!)
    expect(await response.text()).toBe('hello')
    expect(response.headers.get('content-disposition')).toContain('model.onnx')
  })

  it('tells a missing bucket apart from a missing blob', async () => {
    const url = `s3://elsewhere?endpoint=${encodeURIComponent(server.endpoint)}`
    const lost = await openBlobStore(url, { credentials, spoolRoot })
    await expect(lost.get('0'.repeat(64))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(lost.checkHealth()).rejects.toMatchObject({ code: 'storage_unavailable' })
    await lost.close()
  })

  it('is unavailable, not empty, when nothing answers', async () => {
    const url = `s3://blobs?endpoint=http://127.0.0.1:${await freePort()}`
    const lost = await openBlobStore(url, { credentials, spoolRoot })
    await expect(lost.stat('0'.repeat(64))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await lost.close()
  })
})

describe('the size of a part', () => {
  it('keeps the largest object within ten thousand parts', () => {
    const fiveTebibytes = 5 * 2 ** 40
    expect(partSizeOf(1)).toBe(8 * 2 ** 20)
    expect(Math.ceil(fiveTebibytes / partSizeOf(fiveTebibytes))).toBeLessThanOrEqual(10_000)
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
}
