import { afterAll, beforeAll, expect, test } from 'vitest'

import { acceptJob, retryJob } from './accept-job.js'
import { listArtifacts } from './artifacts.js'
import { cancelJob } from './cancel-job.js'
import { claimStage } from './claim-stage.js'
import { withTransaction } from './db.js'
import { completeStage, confirmCanceled, failStage, MAX_FAULTS, releaseStage } from './end-stage.js'
import { errors } from './errors.js'
import { type JobEvent, listEvents } from './events.js'
import { checkStage, heartbeatStage } from './heartbeat.js'
import { getJob, type Job } from './jobs.js'
import { reportProgress } from './progress.js'
import { findStageResult } from './stage-results.js'
import { getStage, listStages } from './stages.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  claim,
  complete,
  createTestProject,
  outputOf,
  outputsOf,
  runAll,
  testJob,
  testPlan,
} from './testing-job.js'
import { listUsageOfJob } from './usage.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

const failure = errors.plan_invalid('a test failure').toJSON()
const fault = errors.worker_lost('a test fault').toJSON()

async function read(job: Job): Promise<Job> {
  const found = await getJob(db.pool, job)
  if (found === null) throw new Error('the job is gone')
  return found
}

async function eventsOf(job: Job): Promise<readonly JobEvent[]> {
  const events = await listEvents(db.pool, { jobId: job.id, limit: 1000 })
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
  return events
}

async function typesOf(job: Job, prefix = ''): Promise<readonly string[]> {
  return (await eventsOf(job)).map(({ type }) => type).filter((type) => type.startsWith(prefix))
}

async function statesOf(job: Job): Promise<readonly string[]> {
  return (await listStages(db.pool, job.id)).map(({ state }) => state)
}

test('a job runs its stages in order and ends with its artifacts', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready, created } = await acceptTestJob(db.pool, project)
  expect(created).toBe(true)
  expect(job.state).toBe('queued')
  expect(ready).toHaveLength(1)
  expect(await statesOf(job)).toEqual(['queued', 'blocked', 'blocked', 'blocked'])

  expect(await runAll(db.pool, ready)).toEqual(['prepare', 'calibrate', 'quantize', 'report'])

  expect(await read(job)).toMatchObject({ state: 'succeeded', error: null })
  expect(await statesOf(job)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded'])
  const artifacts = await listArtifacts(db.pool, job.id)
  expect(artifacts.map(({ kind, name }) => [kind, name])).toEqual([
    ['model', 'model.onnx'],
    ['report', 'report.json'],
  ])
  expect(await typesOf(job)).toEqual([
    'job.queued',
    'stage.queued',
    'job.started',
    'stage.started',
    'stage.succeeded',
    'job.progress',
    'stage.queued',
    'stage.started',
    'stage.succeeded',
    'job.progress',
    'stage.queued',
    'stage.started',
    'stage.succeeded',
    'job.progress',
    'stage.queued',
    'stage.started',
    'stage.succeeded',
    'job.progress',
    'job.finalizing',
    'job.succeeded',
  ])
  const usage = await listUsageOfJob(db.pool, job.id)
  expect(usage.map(({ attempt, outcome }) => [attempt, outcome])).toEqual(
    Array(4).fill([1, 'succeeded']),
  )
})

test('a second job of the project takes every finished key from the cache', async () => {
  const project = await createTestProject(db.pool)
  const one = await acceptTestJob(db.pool, project)
  await runAll(db.pool, one.ready)
  const two = await acceptTestJob(db.pool, project)
  expect(two.ready).toEqual([])
  expect(two.job.state).toBe('succeeded')
  expect((await listStages(db.pool, two.job.id)).every(({ fromCache }) => fromCache)).toBe(true)
  expect(await typesOf(two.job, 'job.')).toEqual([
    'job.queued',
    'job.started',
    'job.finalizing',
    'job.succeeded',
  ])
  expect(await listArtifacts(db.pool, two.job.id)).toHaveLength(2)
  expect(await listUsageOfJob(db.pool, two.job.id)).toEqual([])
})

test('another seed or another project computes for itself', async () => {
  const project = await createTestProject(db.pool)
  await runAll(db.pool, (await acceptTestJob(db.pool, project)).ready)
  const seeded = await acceptTestJob(db.pool, project, { plan: testPlan(project, 1) })
  expect(seeded.ready).toHaveLength(1)
  const other = await createTestProject(db.pool)
  const plan = testPlan(project)
  expect((await acceptTestJob(db.pool, other, { plan })).ready).toHaveLength(1)
})

test('of two claims at once one gets the stage', async () => {
  const project = await createTestProject(db.pool)
  const { ready } = await acceptTestJob(db.pool, project)
  const outcomes = await Promise.all(
    ['a', 'b', 'c', 'd'].map((workerId) =>
      withTransaction(db.pool, (tx) =>
        claimStage(tx, { stageId: ready[0]!.stageId, workerId, leaseMs: 60_000 }),
      ),
    ),
  )
  expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['claimed', 'gone', 'gone', 'gone'])
})

test('an attempt that was overtaken commits nothing', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const zombie = await claim(db.pool, ready[0]!)
  const [again] = (await withTransaction(db.pool, (tx) => releaseStage(tx, zombie))).ready
  const current = await claim(db.pool, again!)
  expect(current.token).toBeGreaterThan(zombie.token)
  const before = await eventsOf(job)

  const beat = { ...zombie, leaseMs: 1000 }
  const progress = { done: 1, total: 2, unit: 'batch' }
  expect(await heartbeatStage(db.pool, beat)).toMatchObject({ isCurrent: false })
  expect(await checkStage(db.pool, zombie)).toMatchObject({ isCurrent: false })
  expect(
    await withTransaction(db.pool, (tx) => reportProgress(tx, { ...zombie, progress })),
  ).toMatchObject({ isCurrent: false })
  const stale = { code: 'stage_token_stale' }
  await expect(complete(db.pool, zombie)).rejects.toMatchObject(stale)
  const failing = withTransaction(db.pool, (tx) => failStage(tx, { ...zombie, error: failure }))
  await expect(failing).rejects.toMatchObject(stale)

  expect(await eventsOf(job)).toEqual(before)
  expect(await heartbeatStage(db.pool, { ...current, leaseMs: 1000 })).toEqual({
    isCurrent: true,
    isCancelRequested: false,
  })
  await complete(db.pool, current)
})

test('two jobs of one key: the second waits and takes the result of the first', async () => {
  const project = await createTestProject(db.pool)
  const one = await acceptTestJob(db.pool, project)
  const two = await acceptTestJob(db.pool, project)
  const running = await claim(db.pool, one.ready[0]!)
  const request = { stageId: two.ready[0]!.stageId, workerId: 'b', leaseMs: 60_000 }
  const claimTwo = () => withTransaction(db.pool, (tx) => claimStage(tx, request))
  expect(await claimTwo()).toEqual({ outcome: 'busy' })
  const { ready } = await complete(db.pool, running)
  expect(ready.map(({ stageId }) => stageId)).toContain(request.stageId)
  const cached = await claimTwo()
  expect(cached).toMatchObject({ outcome: 'cached', ready: [{ kind: 'calibrate' }] })
  expect(await getStage(db.pool, request.stageId)).toMatchObject({
    state: 'succeeded',
    fromCache: true,
    attempt: 0,
  })
})

test('a failure of the input ends the job and cancels what had not begun', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  await withTransaction(db.pool, (tx) => failStage(tx, { ...claimed, error: failure }))
  expect(await read(job)).toMatchObject({ state: 'failed', error: failure })
  expect(await statesOf(job)).toEqual(['failed', 'canceled', 'canceled', 'canceled'])
  expect((await typesOf(job)).at(-1)).toBe('job.failed')
  expect(await listArtifacts(db.pool, job.id)).toEqual([])
})

test('an unmet constraint fails the job and keeps the candidate', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  let bells = ready
  for (let i = 0; i < 3; i++)
    bells = (await complete(db.pool, await claim(db.pool, bells[0]!))).ready
  const last = await claim(db.pool, bells[0]!)
  const error = { ...failure, code: 'constraint_unmet' }
  const outputs = outputsOf(last)
  await withTransaction(db.pool, (tx) =>
    failStage(tx, { ...last, error, outputs, metrics: { drop: 0.02 } }),
  )
  expect(await read(job)).toMatchObject({ state: 'failed', error: { code: 'constraint_unmet' } })
  expect((await listArtifacts(db.pool, job.id)).map(({ kind }) => kind)).toEqual([
    'model',
    'report',
  ])
  const { projectId } = project
  expect(await findStageResult(db.pool, { projectId, key: last.stage.key! })).toBeNull()
})

test('an infrastructure fault backs off and retries until its budget is spent', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  let bell = ready[0]!
  for (let n = 1; n <= MAX_FAULTS; n++) {
    const claimed = await claim(db.pool, bell)
    expect(claimed.stage.attempt).toBe(n)
    const end = await withTransaction(db.pool, (tx) => failStage(tx, { ...claimed, error: fault }))
    bell = end.ready[0]!
    expect(bell).toMatchObject({ attempt: n + 1, delayMs: 1000 * 2 ** (n - 1) })
    const request = { stageId: bell.stageId, workerId: 'w', leaseMs: 1000 }
    const early = await withTransaction(db.pool, (tx) => claimStage(tx, request))
    expect(early.outcome).toBe('early')
    await db.pool.query('UPDATE stage SET available_at = now() WHERE id = $1', [bell.stageId])
  }
  const claimed = await claim(db.pool, bell)
  await withTransaction(db.pool, (tx) => failStage(tx, { ...claimed, error: fault }))
  expect(await read(job)).toMatchObject({ state: 'failed', error: { code: 'worker_lost' } })
  expect(await listUsageOfJob(db.pool, job.id)).toHaveLength(MAX_FAULTS + 1)
})

test('a worker that shuts down hands its stage back without a charge', async () => {
  const project = await createTestProject(db.pool)
  const { ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  const end = await withTransaction(db.pool, (tx) => releaseStage(tx, claimed))
  expect(end.stage).toMatchObject({ state: 'queued', faults: 0, attempt: 1 })
  expect(end.ready).toMatchObject([{ attempt: 2, delayMs: 0 }])
})

test('canceling a queued job ends it at once', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const request = { projectId: project.projectId, jobId: job.id }
  const canceled = await withTransaction(db.pool, (tx) => cancelJob(tx, request))
  expect(canceled.state).toBe('canceled')
  expect(await statesOf(job)).toEqual(Array(4).fill('canceled'))
  const late = { stageId: ready[0]!.stageId, workerId: 'w', leaseMs: 1000 }
  expect(await withTransaction(db.pool, (tx) => claimStage(tx, late))).toEqual({ outcome: 'gone' })
  await expect(withTransaction(db.pool, (tx) => cancelJob(tx, request))).rejects.toMatchObject({
    code: 'job_not_cancelable',
  })
})

test('canceling a running job waits for the engine to stop', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  const request = { projectId: project.projectId, jobId: job.id }
  const cancel = () => withTransaction(db.pool, (tx) => cancelJob(tx, request))
  expect((await cancel()).state).toBe('canceling')
  expect((await cancel()).state).toBe('canceling')
  expect(await heartbeatStage(db.pool, { ...claimed, leaseMs: 1000 })).toEqual({
    isCurrent: true,
    isCancelRequested: true,
  })
  await withTransaction(db.pool, (tx) => confirmCanceled(tx, claimed))
  expect(await read(job)).toMatchObject({ state: 'canceled' })
  expect((await typesOf(job, 'job.')).filter((type) => type === 'job.canceled')).toHaveLength(1)
})

test('a result that arrives while canceling is kept for later but does not revive the job', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  const request = { projectId: project.projectId, jobId: job.id }
  await withTransaction(db.pool, (tx) => cancelJob(tx, request))
  expect((await complete(db.pool, claimed)).ready).toEqual([])
  expect(await read(job)).toMatchObject({ state: 'canceled' })
  const retried = await withTransaction(db.pool, (tx) => retryJob(tx, request))
  expect(retried.job).toMatchObject({ parentJobId: job.id, state: 'queued' })
  expect(retried.ready).toMatchObject([{ kind: 'calibrate' }])
})

test('a retry is a new job that goes on at the first unfinished stage', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project, { labels: { team: 'vision' } })
  const request = { projectId: project.projectId, jobId: job.id }
  const retry = () => withTransaction(db.pool, (tx) => retryJob(tx, request))
  await expect(retry()).rejects.toMatchObject({ code: 'job_not_retryable' })
  const bells = (await complete(db.pool, await claim(db.pool, ready[0]!))).ready
  const failing = await claim(db.pool, bells[0]!)
  await withTransaction(db.pool, (tx) => failStage(tx, { ...failing, error: failure }))
  const again = await retry()
  expect(again.job).toMatchObject({ parentJobId: job.id, labels: { team: 'vision' } })
  expect(await runAll(db.pool, again.ready)).toEqual(['calibrate', 'quantize', 'report'])
  expect(await read(job)).toMatchObject({ state: 'failed' })
  expect(await read(again.job)).toMatchObject({ state: 'succeeded' })
})

test('another project can neither see, cancel nor retry a job', async () => {
  const project = await createTestProject(db.pool)
  const { projectId } = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project)
  const request = { projectId, jobId: job.id }
  const unknown = { code: 'job_not_found' }
  expect(await getJob(db.pool, { projectId, id: job.id })).toBeNull()
  await expect(withTransaction(db.pool, (tx) => cancelJob(tx, request))).rejects.toMatchObject(
    unknown,
  )
  await expect(withTransaction(db.pool, (tx) => retryJob(tx, request))).rejects.toMatchObject(
    unknown,
  )
})

test('one client_job_id is one job, and a different request with it is refused', async () => {
  const project = await createTestProject(db.pool)
  const one = await acceptTestJob(db.pool, project, { clientJobId: 'nightly' })
  const two = await acceptTestJob(db.pool, project, { clientJobId: 'nightly' })
  expect(two).toMatchObject({ created: false, ready: [], job: { id: one.job.id } })
  const other = acceptTestJob(db.pool, project, { clientJobId: 'nightly', request: { a: 1 } })
  await expect(other).rejects.toMatchObject({ code: 'client_job_id_taken' })
  const elsewhere = await createTestProject(db.pool)
  const three = await acceptTestJob(db.pool, elsewhere, { clientJobId: 'nightly' })
  expect(three.created).toBe(true)
})

test('progress moves the rows always and the events now and then', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  const hour = 3_600_000
  const report = (done: number) =>
    withTransaction(db.pool, (tx) =>
      reportProgress(tx, {
        ...claimed,
        progress: { done, total: 10, unit: 'batch' },
        minEventIntervalMs: hour,
      }),
    )
  for (let done = 1; done <= 5; done++) await report(done)
  expect(await typesOf(job, 'job.progress')).toHaveLength(1)
  expect((await read(job)).progress).toEqual({
    stage: 'prepare',
    done: 5,
    total: 10,
    unit: 'batch',
    fraction: 0.125,
  })
  expect((await getStage(db.pool, claimed.stageId))?.progress).toMatchObject({ done: 5 })
})

test('a stage counts as one of the job, whatever it reports', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  const fractionAt = async (done: number, total: number) => {
    const progress = { done, total, unit: 'batch' }
    await withTransaction(db.pool, (tx) => reportProgress(tx, { ...claimed, progress }))
    return (await read(job)).progress?.fraction
  }
  expect(await fractionAt(3, 0)).toBe(0)
  expect(await fractionAt(10, 10)).toBe(0.25)
  expect(await fractionAt(50, 10)).toBe(0.25)
})

test('a stage that lacks a promised output fails the job, not the service', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const claimed = await claim(db.pool, ready[0]!)
  await withTransaction(db.pool, (tx) =>
    completeStage(tx, { ...claimed, outputs: { other: outputOf('x') }, metrics: {} }),
  )
  expect(await read(job)).toMatchObject({
    state: 'failed',
    error: { code: 'stage_output_missing' },
  })
})

test('a plan that contradicts itself is refused whole', async () => {
  const project = await createTestProject(db.pool)
  const plan = testPlan(project)
  const broken = { ...plan, stages: [...plan.stages].reverse() }
  const accept = withTransaction(db.pool, (tx) =>
    acceptJob(tx, testJob(project, { plan: broken, clientJobId: 'broken' })),
  )
  await expect(accept).rejects.toMatchObject({ code: 'plan_invalid' })
})

test('the table itself refuses a state that contradicts its row', async () => {
  const project = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project)
  const update = db.pool.query("UPDATE job SET state = 'succeeded' WHERE id = $1", [job.id])
  await expect(update).rejects.toMatchObject({ code: '23514' })
})
