// The clock is moved by SQL: whatever the rows say about now happened so much earlier.
import { afterAll, beforeAll, expect, test } from 'vitest'

import { claimStage } from './claim-stage.js'
import { withTransaction } from './db.js'
import { releaseStage } from './end-stage.js'
import { getJob, type Job } from './jobs.js'
import { reconcile } from './reconcile.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  claim,
  complete,
  createTestProject,
  forkedPlan,
  runAll,
} from './testing-job.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

/** Lets time pass for everything that the database knows. */
async function pass(seconds: number): Promise<void> {
  await db.pool.query(
    `UPDATE job SET running_since = running_since - $1::float8 * interval '1 s',
       run_deadline_at = run_deadline_at - $1::float8 * interval '1 s'`,
    [seconds],
  )
  await db.pool.query(
    `UPDATE stage SET lease_expires_at = lease_expires_at - $1::float8 * interval '1 s',
       available_at = available_at - $1::float8 * interval '1 s',
       finished_at = finished_at - $1::float8 * interval '1 s'`,
    [seconds],
  )
}

async function read(job: Job): Promise<Job> {
  const found = await getJob(db.pool, job)
  if (found === null) throw new Error('the job is gone')
  return found
}

async function expectRunSeconds(job: Job, seconds: number): Promise<void> {
  const { runSeconds } = await read(job)
  // A lease is taken some milliseconds before the clock starts.
  expect(runSeconds).toBeGreaterThan(seconds - 0.5)
  expect(runSeconds).toBeLessThan(seconds + 1)
}

test('a job that waits between its stages has no deadline and loses no time', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project, { maxRunSeconds: 100 })
  expect(await read(job)).toMatchObject({ runSeconds: null, runDeadlineAt: null })
  const one = await claim(db.pool, ready[0]!)
  expect((await read(job)).runDeadlineAt).toBeInstanceOf(Date)
  await pass(30)
  await expectRunSeconds(job, 30)
  const bells = (await complete(db.pool, one)).ready
  expect((await read(job)).runDeadlineAt).toBeNull()
  await pass(3600)
  await expectRunSeconds(job, 30)
  expect((await reconcile(db.pool)).endedJobs).toBe(0)
  const two = await claim(db.pool, bells[0]!)
  expect(two.runTimeLeftMs).toBeGreaterThan(69_000)
  expect(two.runTimeLeftMs).toBeLessThanOrEqual(70_000)
  await pass(10)
  const again = (await withTransaction(db.pool, (tx) => releaseStage(tx, two))).ready
  await pass(3600)
  await runAll(db.pool, again)
  await expectRunSeconds(job, 40)
  expect(await read(job)).toMatchObject({ state: 'succeeded', runDeadlineAt: null })
})

test('stages that run side by side are counted once', async () => {
  const project = await createTestProject(db.pool)
  const plan = forkedPlan(project)
  const { job, ready } = await acceptTestJob(db.pool, project, { plan, maxRunSeconds: 100 })
  const left = await claim(db.pool, ready[0]!)
  await pass(10)
  const right = await claim(db.pool, ready[1]!)
  expect(right.runTimeLeftMs).toBeLessThanOrEqual(90_000)
  await pass(10)
  await complete(db.pool, left)
  await pass(10)
  await complete(db.pool, right)
  await pass(10)
  await expectRunSeconds(job, 30)
})

test('the limit ends a job in the middle of its second stage', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project, { maxRunSeconds: 20 })
  const one = await claim(db.pool, ready[0]!)
  await pass(15)
  const bells = (await complete(db.pool, one)).ready
  const two = await claim(db.pool, bells[0]!)
  await pass(4)
  expect((await reconcile(db.pool)).endedJobs).toBe(0)
  await pass(2)
  expect((await reconcile(db.pool)).endedJobs).toBe(1)
  expect(await read(job)).toMatchObject({
    state: 'failed',
    error: { code: 'run_deadline_passed' },
  })
  await expectRunSeconds(job, 21)
  await expect(complete(db.pool, two)).rejects.toMatchObject({ code: 'stage_token_stale' })
})

test('a job that has used up its time in a stage that still counted starts no other', async () => {
  const project = await createTestProject(db.pool)
  const used = async () => {
    const { job, ready } = await acceptTestJob(db.pool, project, {
      maxRunSeconds: 20,
      request: { n: Math.random() },
      plan: forkedPlan(project, Math.floor(Math.random() * 1e9)),
    })
    const claims = [await claim(db.pool, ready[0]!), await claim(db.pool, ready[1]!)]
    await pass(21)
    const ends = await Promise.all(claims.map((claimed) => complete(db.pool, claimed)))
    return { job, next: ends.flatMap((end) => end.ready)[0]! }
  }
  const heard = await used()
  const request = { stageId: heard.next.stageId, workerId: 'w', leaseMs: 1000 }
  const outcome = await withTransaction(db.pool, (tx) => claimStage(tx, request))
  expect(outcome).toEqual({ outcome: 'gone' })
  const unheard = await used()
  expect((await reconcile(db.pool)).endedJobs).toBe(1)
  for (const { job } of [heard, unheard]) {
    expect(await read(job)).toMatchObject({ error: { code: 'run_deadline_passed' } })
  }
})

test('a worker that died is counted for as long as its lease ran', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project, { maxRunSeconds: 100 })
  await claim(db.pool, ready[0]!)
  // The lease of 60 s ends; that is noticed when the deadline has long passed.
  await pass(300)
  const { lostStages, endedJobs, ready: bells } = await reconcile(db.pool)
  expect([lostStages, endedJobs]).toEqual([1, 0])
  await expectRunSeconds(job, 60)
  await pass(300)
  const again = await claim(db.pool, bells[0]!)
  // Times in the table are rounded to milliseconds.
  expect(again.runTimeLeftMs).toBeLessThanOrEqual(40_010)
  expect(again.runTimeLeftMs).toBeGreaterThan(38_000)
})
