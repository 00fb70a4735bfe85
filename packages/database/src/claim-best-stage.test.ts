// Order and backlog. The clock is moved by SQL; a "slot" plays a worker that runs one stage at a time.
import type { Priority } from '@pare/recipe'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { claimBestStage } from './claim-best-stage.js'
import type { ClaimedStage, ClaimOutcome } from './claim-stage.js'
import { listJobs } from './jobs.js'
import type { Doorbell } from './plan.js'
import { reconcile } from './reconcile.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  claim,
  complete,
  createTestProject,
  testPlan,
  type TestProject,
} from './testing-job.js'

// Keeps the server up between the tests, each of which has a database of its own.
let keeper: TestDatabase
let db: TestDatabase
let project: TestProject
let serial = 0
beforeAll(async () => {
  keeper = await createTestDatabase()
})
afterAll(() => keeper.close())
beforeEach(async () => {
  db = await createTestDatabase()
  project = await createTestProject(db.pool)
})
afterEach(() => db.close())

const NOBODY = { stageId: 'stg_gone', workerId: 'w', leaseMs: 60_000 }

function ring(stageId = NOBODY.stageId): Promise<ClaimOutcome> {
  return claimBestStage(db.pool, { ...NOBODY, stageId })
}

async function next(): Promise<ClaimedStage> {
  const result = await ring()
  if (result.outcome !== 'claimed') throw new Error(`the claim is ${result.outcome}`)
  return result.claim
}

/** The inspections that come with the test project. */
async function inspect(): Promise<void> {
  for (const kind of ['inspect_model', 'inspect_dataset']) {
    const claimed = await next()
    expect(claimed.stage.kind).toBe(kind)
    await complete(db.pool, claimed)
  }
}

async function submit(priority: Priority = 'normal', maxRunSeconds = 20): Promise<string> {
  const plan = testPlan(project, ++serial)
  const { job } = await acceptTestJob(db.pool, project, { plan, priority, maxRunSeconds })
  return job.id
}

async function pass(seconds: number): Promise<void> {
  await db.pool.query(
    `UPDATE job SET running_since = running_since - $1::float8 * interval '1 s',
       run_deadline_at = run_deadline_at - $1::float8 * interval '1 s',
       started_at = started_at - $1::float8 * interval '1 s'`,
    [seconds],
  )
}

test('forty jobs of 6.6 s with a limit of 20 s all succeed, one after the other', async () => {
  await inspect()
  const ids: string[] = []
  for (let n = 0; n < 40; n++) ids.push(await submit())
  const finished: string[] = []
  // Two slots, each with a stage under way, as long as there is any.
  const slots: ClaimedStage[] = []
  for (;;) {
    while (slots.length < 2) {
      const result = await ring()
      if (result.outcome !== 'claimed') break
      slots.push(result.claim)
    }
    const ending = slots.shift()
    if (ending === undefined) break
    await pass(6.6 / 4)
    const { stage } = await complete(db.pool, ending)
    if (stage.name === 'report') finished.push(stage.jobId ?? '')
    expect((await reconcile(db.pool)).endedJobs).toBe(0)
  }
  const { rows: jobs } = await listJobs(db.pool, { projectId: project.projectId, limit: 100 })
  expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(['succeeded']))
  expect(Math.max(...jobs.map(({ runSeconds }) => runSeconds ?? NaN))).toBeLessThan(15)
  // The older job is always at most one behind the younger that runs beside it.
  for (const [place, id] of finished.entries()) {
    expect(Math.abs(ids.indexOf(id) - place)).toBeLessThanOrEqual(1)
  }
})

test('what has begun goes on before what has not, whichever stage rang', async () => {
  await inspect()
  const old = await submit()
  const begun = await submit()
  const { rows } = await db.pool.query<{ id: string }>(
    "SELECT id FROM stage WHERE job_id = $1 AND state = 'queued'",
    [begun],
  )
  const first = await claim(db.pool, { stageId: rows[0]!.id })
  const bells = (await complete(db.pool, first)).ready
  expect(bells).toHaveLength(1)
  for (const name of ['calibrate', 'quantize', 'report']) {
    const claimed = await next()
    expect(claimed.stage).toMatchObject({ jobId: begun, name })
    await complete(db.pool, claimed)
  }
  expect((await next()).stage.jobId).toBe(old)
})

test('a higher priority goes before, also before what has begun at a lower one', async () => {
  await inspect()
  const low = await submit('low')
  await complete(db.pool, await next())
  const normal = await submit()
  const high = await submit('high')
  const order: (string | null)[] = []
  for (let n = 0; n < 9; n++) {
    const claimed = await next()
    if (order.at(-1) !== claimed.stage.jobId) order.push(claimed.stage.jobId)
    await complete(db.pool, claimed)
  }
  expect(order).toEqual([high, normal, low])
})

test('an inspection waits for no job', async () => {
  await inspect()
  await submit('high')
  await complete(db.pool, await next())
  const other = await createTestProject(db.pool)
  expect((await next()).stage.modelId).toBe(other.modelId)
  expect((await next()).stage.datasetId).toBe(other.datasetId)
  expect((await next()).stage).toMatchObject({ name: 'calibrate' })
})

test('a key that is being computed and a back-off are passed over', async () => {
  await inspect()
  const plan = testPlan(project, ++serial)
  const one = await acceptTestJob(db.pool, project, { plan })
  const two = await acceptTestJob(db.pool, project, { plan })
  const three = await submit()
  expect((await next()).stage.jobId).toBe(one.job.id)
  expect((await next()).stage.jobId).toBe(three)
  expect(await ring(two.ready[0]!.stageId)).toEqual({ outcome: 'busy' })
  const { stageId } = two.ready[0]!
  await db.pool.query("UPDATE stage SET available_at = now() + interval '1 h' WHERE id = $1", [
    stageId,
  ])
  expect(await ring(stageId)).toMatchObject({ outcome: 'early' })
  expect(await ring()).toEqual({ outcome: 'gone' })
})

test('many at once get one stage each, and repeated or foreign rings get nothing more', async () => {
  await inspect()
  for (let n = 0; n < 8; n++) await submit()
  const results = await Promise.all(Array.from({ length: 16 }, () => ring()))
  const claimed = results.flatMap((result) => (result.outcome === 'claimed' ? [result.claim] : []))
  expect(new Set(claimed.map(({ stageId }) => stageId)).size).toBe(8)
  expect(claimed).toHaveLength(8)
  const ready: Doorbell[] = []
  for (const one of claimed) ready.push(...(await complete(db.pool, one)).ready)
  expect(ready).toHaveLength(8)
})
