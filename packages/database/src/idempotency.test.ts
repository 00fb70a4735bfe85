import { afterAll, beforeAll, expect, test } from 'vitest'

import { acceptJob } from './accept-job.js'
import { withTransaction } from './db.js'
import {
  idempotencyBegin,
  idempotencyFinish,
  type IdempotencyRequest,
  purgeIdempotency,
} from './idempotency.js'
import { listJobs } from './jobs.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { createTestProject, testJob } from './testing-job.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

let serial = 0
function newRequest(change: Partial<IdempotencyRequest> = {}): IdempotencyRequest {
  return { scope: 'project POST /v1/jobs', key: `key ${++serial}`, fingerprint: 'f', ...change }
}

function begin(request: IdempotencyRequest) {
  return withTransaction(db.pool, (tx) => idempotencyBegin(tx, request))
}

async function beginNew(request: IdempotencyRequest): Promise<string> {
  const began = await begin(request)
  if (began.outcome !== 'started') throw new Error(`the key is ${began.outcome}`)
  return began.holder
}

const response = { status: 201, body: { id: 'job_1' } }

test('200 submissions at once with one key make one job and get one answer', async () => {
  const project = await createTestProject(db.pool)
  const request = newRequest()
  const submit = () =>
    withTransaction(db.pool, async (tx) => {
      const began = await idempotencyBegin(tx, request)
      if (began.outcome === 'replay') return began.response.body
      if (began.outcome !== 'started') throw new Error(`the key is ${began.outcome}`)
      const { job } = await acceptJob(tx, testJob(project))
      const stored = { status: 201, body: { id: job.id } }
      expect(await idempotencyFinish(tx, { ...request, ...began, response: stored })).toBe(true)
      return stored.body
    })
  const answers = await Promise.all(Array.from({ length: 200 }, submit))
  const { rows } = await listJobs(db.pool, { projectId: project.projectId, limit: 10 })
  expect(rows).toHaveLength(1)
  expect(new Set(answers.map((body) => JSON.stringify(body)))).toEqual(
    new Set([JSON.stringify({ id: rows[0]!.id })]),
  )
})

test('a crash before the commit leaves neither job nor key', async () => {
  const project = await createTestProject(db.pool)
  const request = newRequest()
  const crash = withTransaction(db.pool, async (tx) => {
    await idempotencyBegin(tx, request)
    await acceptJob(tx, testJob(project))
    throw new Error('the process dies here')
  })
  await expect(crash).rejects.toThrow('dies here')
  const { rows } = await listJobs(db.pool, { projectId: project.projectId, limit: 10 })
  expect(rows).toEqual([])
  await beginNew(request)
})

test('the same key with another body is a mismatch, in another scope another key', async () => {
  const request = newRequest()
  const holder = await beginNew(request)
  await withTransaction(db.pool, (tx) => idempotencyFinish(tx, { ...request, holder, response }))
  expect(await begin(request)).toEqual({ outcome: 'replay', response })
  expect(await begin({ ...request, fingerprint: 'g' })).toEqual({ outcome: 'mismatch' })
  await beginNew({ ...request, scope: 'another project POST /v1/jobs' })
})

test('a long request is in progress for others until its lease ends', async () => {
  const request = newRequest()
  const slow = await beginNew(request)
  expect(await begin(request)).toEqual({ outcome: 'in_progress' })
  await db.pool.query(
    "UPDATE idempotency SET locked_until = now() - interval '1 second' WHERE key = $1",
    [request.key],
  )
  const quick = await beginNew(request)
  const finish = (holder: string) =>
    withTransaction(db.pool, (tx) => idempotencyFinish(tx, { ...request, holder, response }))
  expect(await finish(slow)).toBe(false)
  expect(await finish(quick)).toBe(true)
})

test('an expired key is forgotten, before its row is purged as well as after', async () => {
  const request = newRequest()
  const expire = () =>
    db.pool.query(
      "UPDATE idempotency SET expires_at = now() - interval '1 second' WHERE key = $1",
      [request.key],
    )
  await beginNew(request)
  await expire()
  await beginNew({ ...request, fingerprint: 'g' })
  await expire()
  expect(await purgeIdempotency(db.pool)).toBe(1)
  await beginNew(request)
})
