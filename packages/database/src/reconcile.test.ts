import { afterAll, beforeAll, expect, test } from 'vitest'

import { cancelJob } from './cancel-job.js'
import { withTransaction } from './db.js'
import { MAX_FAULTS } from './end-stage.js'
import { listEvents } from './events.js'
import { getJob } from './jobs.js'
import { reconcile } from './reconcile.js'
import { getStage } from './stages.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { acceptTestJob, claim, complete, createTestProject, runAll } from './testing-job.js'
import { listUsageOfJob } from './usage.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

async function endLease(stageId: string): Promise<void> {
  await db.pool.query("UPDATE stage SET lease_expires_at = now() - interval '1 s' WHERE id = $1", [
    stageId,
  ])
}

async function age(stageId: string): Promise<void> {
  await db.pool.query(
    `UPDATE stage SET rung_at = now() - interval '1 h', available_at = now() - interval '1 h'
     WHERE id = $1`,
    [stageId],
  )
}

async function passDeadline(jobId: string, column: string): Promise<void> {
  await db.pool.query(`UPDATE job SET ${column} = now() - interval '1 s' WHERE id = $1`, [jobId])
}

test('a lost doorbell is rung again, once per interval', async () => {
  const project = await createTestProject(db.pool)
  const { ready } = await acceptTestJob(db.pool, project)
  const { stageId } = ready[0]!
  const rings = async () =>
    (await reconcile(db.pool)).ready.filter((bell) => bell.stageId === stageId)
  expect(await rings()).toEqual([])
  await age(stageId)
  const both = await Promise.all([rings(), rings()])
  expect(both.flat()).toEqual([{ ...ready[0]! }])
  expect(await rings()).toEqual([])
})

test('a stage whose worker died is queued again and its token is worthless', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const dead = await claim(db.pool, ready[0]!)
  expect((await reconcile(db.pool)).lostStages).toBe(0)
  await endLease(dead.stageId)
  const { lostStages, ready: bells } = await reconcile(db.pool)
  expect(lostStages).toBe(1)
  expect(bells).toMatchObject([{ stageId: dead.stageId, attempt: 2, delayMs: 1000 }])
  await expect(complete(db.pool, dead)).rejects.toMatchObject({ code: 'stage_token_stale' })
  await age(dead.stageId)
  await runAll(db.pool, bells)
  expect(await getJob(db.pool, job)).toMatchObject({ state: 'succeeded' })
  const usage = await listUsageOfJob(db.pool, job.id)
  expect(usage.map(({ outcome }) => outcome)).toEqual([
    'lost',
    'succeeded',
    'succeeded',
    'succeeded',
    'succeeded',
  ])
})

test('two reconcilers lose a dead stage once', async () => {
  const project = await createTestProject(db.pool)
  const { ready } = await acceptTestJob(db.pool, project)
  const dead = await claim(db.pool, ready[0]!)
  await endLease(dead.stageId)
  const both = await Promise.all([reconcile(db.pool), reconcile(db.pool)])
  expect(both[0].lostStages + both[1].lostStages).toBe(1)
  expect(await getStage(db.pool, dead.stageId)).toMatchObject({ faults: 1, state: 'queued' })
})

test('a result that comes late but before anyone noticed still counts', async () => {
  const project = await createTestProject(db.pool)
  const { ready } = await acceptTestJob(db.pool, project)
  const late = await claim(db.pool, ready[0]!)
  await endLease(late.stageId)
  expect((await complete(db.pool, late)).stage.state).toBe('succeeded')
})

test('a stage that kills every worker fails its job in the end', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const { stageId } = ready[0]!
  for (let n = 0; n <= MAX_FAULTS; n++) {
    await age(stageId)
    await claim(db.pool, { stageId })
    await endLease(stageId)
    await reconcile(db.pool)
  }
  expect(await getJob(db.pool, job)).toMatchObject({
    state: 'failed',
    error: { code: 'worker_lost', kind: 'unavailable' },
  })
})

test('a job that waited too long expires', async () => {
  const project = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project, { maxQueueSeconds: 60 })
  expect(job.queueDeadlineAt?.getTime()).toBe(job.createdAt.getTime() + 60_000)
  expect((await reconcile(db.pool)).endedJobs).toBe(0)
  await passDeadline(job.id, 'queue_deadline_at')
  expect((await reconcile(db.pool)).endedJobs).toBe(1)
  expect(await getJob(db.pool, job)).toMatchObject({
    state: 'expired',
    error: { code: 'queue_deadline_passed' },
  })
  expect((await reconcile(db.pool)).endedJobs).toBe(0)
})

test('a job that runs too long fails and its worker loses the stage', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project, { maxRunSeconds: 3600 })
  const claimed = await claim(db.pool, ready[0]!)
  expect(claimed.runTimeLeftMs).toBeGreaterThan(3_590_000)
  expect(claimed.runTimeLeftMs).toBeLessThanOrEqual(3_600_000)
  await passDeadline(job.id, 'run_deadline_at')
  expect((await reconcile(db.pool)).endedJobs).toBe(1)
  expect(await getJob(db.pool, job)).toMatchObject({
    state: 'failed',
    error: { code: 'run_deadline_passed' },
  })
  await expect(complete(db.pool, claimed)).rejects.toMatchObject({ code: 'stage_token_stale' })
})

test('a job whose worker died while canceling is canceled', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const dead = await claim(db.pool, ready[0]!)
  const request = { projectId: project.projectId, jobId: job.id }
  await withTransaction(db.pool, (tx) => cancelJob(tx, request))
  await endLease(dead.stageId)
  await reconcile(db.pool)
  expect(await getJob(db.pool, job)).toMatchObject({ state: 'canceled', error: null })
  const events = await listEvents(db.pool, { jobId: job.id, limit: 100 })
  expect(events.filter(({ type }) => type === 'job.canceled')).toHaveLength(1)
})
