// An S3-speaking server for tests, in this process: real HTTP, a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import S3rver from 's3rver'

import type { S3Credentials } from './s3.js'

export interface TestS3 {
  readonly endpoint: string
  /** Names the server's one bucket, `blobs`. */
  readonly url: string
  readonly credentials: S3Credentials
  readonly stop: () => Promise<void>
}

export async function startTestS3(): Promise<TestS3> {
  const directory = await mkdtemp(join(tmpdir(), 'pare-test-s3-'))
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'blobs', configs: [] }],
  })
  const { port } = await server.run()
  const endpoint = `http://127.0.0.1:${port}`
  return {
    endpoint,
    url: `s3://blobs?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    stop: async () => {
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
