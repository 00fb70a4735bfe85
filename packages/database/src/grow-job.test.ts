import type { FinishedStage, GrowPlan, JobPlan } from '@pare/recipe'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { acceptJob, retryJob } from './accept-job.js'
import { listArtifacts } from './artifacts.js'
import { claimStage } from './claim-stage.js'
import { withTransaction } from './db.js'
import { completeStage } from './end-stage.js'
import { listEvents } from './events.js'
import { getJob } from './jobs.js'
import type { Doorbell } from './plan.js'
import { reconcile } from './reconcile.js'
import { listStages } from './stages.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { createTestProject, outputsOf, testJob, type TestProject } from './testing-job.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

const ROUNDS = 3

/** Rounds of one stage, as many as ROUNDS, then a report. */
const growRounds: GrowPlan = (plan, finished) => {
  const rounds = finished.filter(({ name }) => name.includes('/')).length
  const next = rounds < ROUNDS ? roundStage(rounds + 1, plan) : reportStage()
  const isComplete = rounds >= ROUNDS
  return {
    ...plan,
    stages: [...plan.stages, next],
    isComplete,
    artifacts: isComplete
      ? [{ stage: 'report', role: 'report', kind: 'report', name: 'report.json' }]
      : [],
  }
}

function roundStage(round: number, plan: Pick<JobPlan, 'basis' | 'stages'>) {
  const before = plan.stages.at(-1)?.name
  const blob = plan.basis['model'] as string
  const from = before === undefined ? { blob } : { stage: before, role: 'model' }
  return {
    name: `${round}/1-prune_weights`,
    kind: 'prepare',
    params: { round },
    inputs: [{ role: 'model', from }],
  }
}

function reportStage() {
  const from = { stage: `${ROUNDS}/1-prune_weights`, role: 'model' }
  return { name: 'report', kind: 'report', params: {}, inputs: [{ role: 'model', from }] }
}

function growingPlan({ modelSha256 }: TestProject): JobPlan {
  const basis = { model: modelSha256 }
  return {
    ...{ basis, engineVersion: 'test', seed: 0, artifacts: [] },
    stages: [roundStage(1, { basis, stages: [] })],
    isComplete: false,
    expectedStages: ROUNDS + 1,
  }
}

async function accept(project: TestProject, grow: GrowPlan = growRounds) {
  const job = testJob(project, { plan: growingPlan(project) })
  return withTransaction(db.pool, (tx) => acceptJob(tx, job, grow))
}

async function claimOf({ stageId }: Doorbell, grow: GrowPlan = growRounds) {
  const request = { stageId, workerId: 'worker', leaseMs: 60_000, grow }
  const claimed = await withTransaction(db.pool, (tx) => claimStage(tx, request))
  if (claimed.outcome !== 'claimed') throw new Error(`the claim is ${claimed.outcome}`)
  return claimed.claim
}

async function runOne(bell: Doorbell, grow: GrowPlan = growRounds): Promise<readonly Doorbell[]> {
  const claim = await claimOf(bell, grow)
  const { stageId, token } = claim
  const end = { stageId, token, outputs: outputsOf(claim), metrics: { drop: 0 } }
  return (await withTransaction(db.pool, (tx) => completeStage(tx, end, grow))).ready
}

async function runAll(bells: readonly Doorbell[]): Promise<number> {
  const queue = [...bells]
  let ran = 0
  for (let bell = queue.shift(); bell !== undefined; bell = queue.shift()) {
    queue.push(...(await runOne(bell)))
    ran++
  }
  return ran
}

test('a plan grows in the transaction that ends its last stage', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await accept(project)
  const next = await runOne(ready[0]!)
  const stages = await listStages(db.pool, job.id)
  expect(stages.map(({ name, state, position }) => [name, state, position])).toEqual([
    ['1/1-prune_weights', 'succeeded', 0],
    ['2/1-prune_weights', 'queued', 1],
  ])
  expect(await getJob(db.pool, job)).toMatchObject({ state: 'running' })
  await runAll(next)
  expect(await getJob(db.pool, job)).toMatchObject({ state: 'succeeded' })
  expect(await listArtifacts(db.pool, job.id)).toHaveLength(1)
  const events = await listEvents(db.pool, { jobId: job.id, limit: 100 })
  expect(events.filter(({ type }) => type === 'job.succeeded')).toHaveLength(1)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1))
})

test('what the planner is told are the finished stages with their metrics', async () => {
  const project = await createTestProject(db.pool)
  const told: (readonly FinishedStage[])[] = []
  const grow: GrowPlan = (plan, finished) => {
    told.push(finished)
    return growRounds(plan, finished)
  }
  const { ready } = await accept(project, grow)
  await runOne(ready[0]!, grow)
  expect(told).toEqual([[{ name: '1/1-prune_weights', metrics: { drop: 0 } }]])
})

test('a growth that does not commit leaves the stage running, and is made again', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await accept(project)
  const claim = await claimOf(ready[0]!)
  const { stageId, token } = claim
  const end = { stageId, token, outputs: outputsOf(claim), metrics: { drop: 0 } }
  // The worker dies between the growth and the commit.
  const dies = withTransaction(db.pool, async (tx) => {
    await completeStage(tx, end, growRounds)
    throw new Error('killed')
  })
  await expect(dies).rejects.toThrow('killed')
  expect(await listStages(db.pool, job.id)).toMatchObject([{ state: 'running' }])
  await db.pool.query("UPDATE stage SET lease_expires_at = now() - interval '1 s' WHERE id = $1", [
    stageId,
  ])
  const { ready: again } = await reconcile(db.pool)
  await db.pool.query("UPDATE stage SET available_at = now() - interval '1 s' WHERE id = $1", [
    stageId,
  ])
  await runAll(again.filter((bell) => bell.stageId === stageId))
  expect(await getJob(db.pool, job)).toMatchObject({ state: 'succeeded' })
  const names = (await listStages(db.pool, job.id)).map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toHaveLength(ROUNDS + 1)
})

test('rounds come from the cache: a second job of the same is done at its acceptance', async () => {
  const project = await createTestProject(db.pool)
  const first = await accept(project)
  expect(await runAll(first.ready)).toBe(ROUNDS + 1)
  const second = await accept(project)
  expect(second.ready).toEqual([])
  expect(second.job.state).toBe('succeeded')
  const stages = await listStages(db.pool, second.job.id)
  expect(stages.map(({ fromCache }) => fromCache)).toEqual(stages.map(() => true))
})

test('progress never falls, and is whole at the end', async () => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await accept(project)
  await runAll(ready)
  const events = await listEvents(db.pool, { jobId: job.id, limit: 100 })
  const fractions = events
    .filter(({ type }) => type === 'job.progress')
    .map(({ data }) => (data['progress'] as { fraction: number }).fraction)
  expect(fractions).toEqual([0.25, 0.5, 0.75, 1])
})

test.each([
  [
    'throws',
    () => {
      throw new TypeError('no such thing')
    },
  ],
  ['does not grow', (plan: JobPlan) => plan],
  [
    'names a stage twice',
    (plan: JobPlan) => ({ ...plan, stages: [...plan.stages, ...plan.stages] }),
  ],
])('a planner that %s fails the job, and nothing else', async (_, grow: GrowPlan) => {
  const project = await createTestProject(db.pool)
  const { job, ready } = await accept(project, grow)
  expect(await runOne(ready[0]!, grow)).toEqual([])
  expect(await getJob(db.pool, job)).toMatchObject({
    state: 'failed',
    error: { code: 'plan_invalid', kind: 'internal' },
  })
})

test('a retried job begins with a plan of its own', async () => {
  const project = await createTestProject(db.pool)
  const failing: GrowPlan = (plan) => plan
  const { job, ready } = await accept(project, failing)
  await runOne(ready[0]!, failing)
  const anew: GrowPlan = (plan, finished) =>
    plan.stages.length === 0 ? growingPlan(project) : growRounds(plan, finished)
  const request = { projectId: project.projectId, jobId: job.id }
  const again = await withTransaction(db.pool, (tx) => retryJob(tx, request, anew))
  // Its first round is known; the others were never run.
  expect(await runAll(again.ready)).toBe(ROUNDS)
  expect(await getJob(db.pool, again.job)).toMatchObject({ state: 'succeeded' })
})
