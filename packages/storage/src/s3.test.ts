import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'

import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { BlobStore } from './blob-store.js'
import { describeBlobStore, filesBelow } from './conformance.js'
import { openBlobStore } from './open-blob-store.js'
import { partSizeOf } from './s3.js'
import { startTestS3, type TestS3 } from './testing.js'

describeBlobStore('an S3 bucket', async () => {
  const server = await startTestS3()
  const spoolRoot = await mkdtemp(join(tmpdir(), 'pare-s3-spool-'))
  const url = `s3://blobs/some/prefix?endpoint=${encodeURIComponent(server.endpoint)}&region=us-east-1`
  const store = await openBlobStore(url, { credentials: server.credentials, spoolRoot })
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: server.credentials,
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
  let server: TestS3
  let spoolRoot: string
  let store: BlobStore
  beforeAll(async () => {
    server = await startTestS3()
    spoolRoot = await mkdtemp(join(tmpdir(), 'pare-s3-spool-'))
    const url = `s3://blobs?endpoint=${encodeURIComponent(server.endpoint)}`
    store = await openBlobStore(url, { credentials: server.credentials, spoolRoot })
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
    const lost = await openBlobStore(url, { credentials: server.credentials, spoolRoot })
    await expect(lost.get('0'.repeat(64))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(lost.checkHealth()).rejects.toMatchObject({ code: 'storage_unavailable' })
    await lost.close()
  })

  it('removes the spool of a process that was killed', async () => {
    const { pid: deadPid } = spawnSync(process.execPath, ['-e', ''])
    const left = join(spoolRoot, `${hostname()}~${deadPid}~x`)
    await mkdir(left)
    await writeFile(join(left, 'half'), 'half')
    const next = await openBlobStore(`s3://blobs?endpoint=${encodeURIComponent(server.endpoint)}`, {
      credentials: server.credentials,
      spoolRoot,
    })
    await expect(stat(left)).rejects.toMatchObject({ code: 'ENOENT' })
    await next.close()
  })

  it('is unavailable, not empty, when nothing answers', async () => {
    const url = `s3://blobs?endpoint=http://127.0.0.1:${await freePort()}`
    const lost = await openBlobStore(url, { credentials: server.credentials, spoolRoot })
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
