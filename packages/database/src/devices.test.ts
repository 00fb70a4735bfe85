// No GPU is needed to show who may claim what: announcements are rows.
import { afterAll, beforeAll, expect, test } from 'vitest'

import { claimBestStage } from './claim-best-stage.js'
import { claimStage } from './claim-stage.js'
import { withTransaction } from './db.js'
import { getJobStatus } from './job-status.js'
import { type Job, listJobs } from './jobs.js'
import { reconcile } from './reconcile.js'
import { listStageStatuses } from './stages.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  claim,
  complete,
  createTestProject,
  testPlan,
  type TestProject,
} from './testing-job.js'
import { announceWorker, dismissWorker } from './worker-nodes.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

const CPU_WORKER = { id: 'a', devices: ['cpu'], forMs: 60_000 } as const
const CUDA_WORKER = { id: 'b', devices: ['cpu', 'cuda'], forMs: 60_000 } as const

/** Calibration wants CUDA; what is before and behind it does not. */
function cudaPlan(project: TestProject) {
  const plan = testPlan(project)
  const stages = plan.stages.map((stage) =>
    stage.kind === 'calibrate' ? { ...stage, device: 'cuda' as const } : stage,
  )
  return { ...plan, stages }
}

async function waitingFor(job: Job): Promise<readonly unknown[]> {
  const status = await getJobStatus(db.pool, job)
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM job')
  const listed = await listJobs(db.pool, { projectId: job.projectId, limit: rows.length })
  const stages = await listStageStatuses(db.pool, job.id)
  expect(listed.rows.find(({ id }) => id === job.id)?.waitingFor).toBe(status?.waitingFor)
  expect(stages.map((stage) => stage.waitingFor)).toEqual(
    status?.stages.map((stage) => stage.waiting_for),
  )
  return [status?.waitingFor, ...stages.map((stage) => stage.waitingFor)]
}

test('a stage waits for a worker with its device, says so, and goes on when one comes', async () => {
  const project = await createTestProject(db.pool)
  await announceWorker(db.pool, CPU_WORKER)
  const { job, ready } = await acceptTestJob(db.pool, project, { plan: cudaPlan(project) })
  expect(await waitingFor(job)).toEqual([null, null, null, null, null])
  const bells = (await complete(db.pool, await claim(db.pool, ready[0]!))).ready
  expect(bells).toMatchObject([{ kind: 'calibrate', device: 'cuda' }])
  expect(await waitingFor(job)).toEqual(['cuda worker', null, 'cuda worker', null, null])

  const { stageId } = bells[0]!
  const request = { stageId, workerId: 'a', leaseMs: 60_000 }
  const refused = await withTransaction(db.pool, (tx) => claimStage(tx, request))
  expect(refused).toEqual({ outcome: 'elsewhere' })
  const { faults, attempt } = (await listStageStatuses(db.pool, job.id))[1]!
  expect([faults, attempt]).toEqual([0, 0])

  await announceWorker(db.pool, CUDA_WORKER)
  expect(await waitingFor(job)).toEqual([null, null, null, null, null])
  const taken = await claimBestStage(db.pool, { ...request, devices: ['cuda'] })
  if (taken.outcome !== 'claimed') throw new Error(`the claim is ${taken.outcome}`)
  expect(taken.claim).toMatchObject({ stageId, stage: { device: 'cuda' } })
  const next = (await complete(db.pool, taken.claim)).ready
  expect(next).toMatchObject([{ kind: 'quantize_static', device: 'cpu' }])
})

test('a worker that has gone, or that is silent for too long, has nothing any more', async () => {
  const project = await createTestProject(db.pool)
  await announceWorker(db.pool, CPU_WORKER)
  const { job } = await acceptTestJob(db.pool, project, { plan: testPlan(project, 1) })
  expect((await waitingFor(job))[0]).toBeNull()
  await dismissWorker(db.pool, 'a')
  await dismissWorker(db.pool, 'b')
  expect((await waitingFor(job))[0]).toBe('cpu worker')
  await announceWorker(db.pool, { ...CPU_WORKER, forMs: -1 })
  expect((await waitingFor(job))[0]).toBe('cpu worker')
  await reconcile(db.pool)
  expect((await db.pool.query('SELECT 1 FROM worker_node')).rows).toEqual([])
})

test('a result on one device is not taken for another', async () => {
  const project = await createTestProject(db.pool)
  const plans = [testPlan(project), cudaPlan(project)]
  const jobs = []
  for (const plan of plans) jobs.push((await acceptTestJob(db.pool, project, { plan })).job)
  const one = await claim(db.pool, {
    stageId: (await listStageStatuses(db.pool, jobs[0]!.id))[0]!.id,
  })
  await complete(db.pool, one)
  const calibrations = []
  for (const { id } of jobs) {
    const [prepare] = await listStageStatuses(db.pool, id)
    await withTransaction(db.pool, (tx) =>
      claimStage(tx, { stageId: prepare!.id, workerId: 'a', leaseMs: 1000 }),
    )
    calibrations.push((await listStageStatuses(db.pool, id))[1]!)
  }
  expect(calibrations.map(({ device }) => device)).toEqual(['cpu', 'cuda'])
  expect(calibrations[0]!.key).not.toBe(calibrations[1]!.key)
})
