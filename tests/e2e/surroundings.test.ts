// The same journey with the services of a cluster in the place of the embedded ones.
import { isRedisInstalled, startTestRedis, type TestRedis } from '@pare/queue/testing'
import { startTestS3, type TestS3 } from '@pare/storage/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { Cluster, type ClusterOptions } from './harness/cluster.js'
import { findBreaches } from './harness/invariants.js'
import { staticJob, submit, uploadExamples } from './harness/jobs.js'
import { findLeftovers } from './harness/leftovers.js'

/** One job on a cluster of its own, with `disturb` while it runs; then everything must be in order. */
async function journey(options: ClusterOptions, disturb: () => Promise<void>): Promise<void> {
  const cluster = await Cluster.start({ ...options, apis: 1, workers: 2 })
  try {
    const tenant = await cluster.tenant()
    const { client } = tenant
    const uploads = await uploadExamples(client)
    const job = await submit(client, staticJob(uploads))
    await cluster.untilRuns(tenant.projectId, 'calibrate')
    await disturb()
    expect((await client.untilEnded(job.id)).state).toBe('succeeded')
    const [model] = await client.artifacts(job.id)
    if (model === undefined) throw new Error('the job published nothing')
    expect((await client.download(model)).length).toBe(model.size_bytes)
    expect(await findBreaches(cluster, tenant)).toEqual([])
    expect(new Set(await cluster.stopServices())).toEqual(new Set([0]))
    expect(await findLeftovers(cluster)).toEqual([])
  } finally {
    await cluster.close()
  }
}

const isInstalled = isRedisInstalled()

if (isInstalled) {
  describe('with Redis as the queue', () => {
    let redis: TestRedis
    beforeAll(async () => {
      redis = await startTestRedis()
    })
    afterAll(() => redis.stop())

    it('the journey is the same, also when Redis drops every connection', async () => {
      await journey({ queueUrl: redis.url }, () => redis.cutConnections())
    }, 120_000)
  })
} else if (process.env['CI'] === 'true') {
  it('needs redis-server on the path', () => expect(isInstalled).toBe(true))
} else {
  // Visible in the report; CI has the server and fails without it.
  describe.skip('with Redis as the queue: SKIPPED, redis-server is not installed here', () => {
    it('the journey is the same', () => expect(isInstalled).toBe(true))
  })
}

describe('with an S3 bucket as the store', () => {
  let s3: TestS3
  beforeAll(async () => {
    s3 = await startTestS3()
  })
  afterAll(() => s3.stop())

  it('the journey is the same', async () => {
    const { url, credentials } = s3
    await journey({ storage: { url, credentials } }, () => Promise.resolve())
  }, 120_000)
})
