// Many workers, faults at random, one ledger checked at the end: whatever the interleaving, the
// promises hold. The faults are seeded; the interleaving is the machine's.
import { createHash } from 'node:crypto'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { retryJob } from './accept-job.js'
import { listArtifacts } from './artifacts.js'
import { cancelJob } from './cancel-job.js'
import { claimBestStage } from './claim-best-stage.js'
import type { ClaimedStage } from './claim-stage.js'
import { withTransaction } from './db.js'
import { confirmCanceled, failStage, releaseStage } from './end-stage.js'
import { errors } from './errors.js'
import { listEvents } from './events.js'
import { heartbeatStage } from './heartbeat.js'
import { getJob, listJobs } from './jobs.js'
import type { Doorbell } from './plan.js'
import { reconcile } from './reconcile.js'
import { isTerminalJobState } from './states.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  claim,
  complete,
  createTestProject,
  forkedPlan,
  testPlan,
} from './testing-job.js'
import { createWebhookEndpoint } from './webhook-endpoints.js'
import { listWebhookMessagesOfJob } from './webhook-messages.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

/** A number in [0, 1) that depends on the words only. */
function chance(...words: readonly (string | number)[]): number {
  return createHash('sha256').update(words.join(' ')).digest().readUInt32BE(0) / 2 ** 32
}

/** Plays one attempt: mostly it succeeds, sometimes the worker dies, fails or hands it back. */
async function attempt(claimed: ClaimedStage): Promise<readonly Doorbell[]> {
  const { stageId, token, stage } = claimed
  const luck = chance(stage.key ?? '', stage.attempt)
  const beat = await heartbeatStage(db.pool, { stageId, token, leaseMs: 60_000 })
  if (beat.isCancelRequested) {
    return (await withTransaction(db.pool, (tx) => confirmCanceled(tx, claimed))).ready
  }
  if (luck < 0.1) {
    // Dies: the lease runs out, and later its ghost tries to deliver.
    await db.pool.query('UPDATE stage SET lease_expires_at = now() WHERE id = $1 AND token = $2', [
      stageId,
      token,
    ])
    const { ready } = await reconcile(db.pool)
    await complete(db.pool, claimed).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'stage_token_stale' })
    })
    return ready
  }
  if (luck < 0.2) return (await withTransaction(db.pool, (tx) => releaseStage(tx, claimed))).ready
  if (luck < 0.3) {
    const error = errors.worker_lost('a test fault').toJSON()
    return (await withTransaction(db.pool, (tx) => failStage(tx, { ...claimed, error }))).ready
  }
  return (await complete(db.pool, claimed)).ready
}

test('many workers, faults and cancels: every promise of the ledger holds', async () => {
  const project = await createTestProject(db.pool)
  const { projectId } = project
  await createWebhookEndpoint(db.pool, { projectId, url: 'https://example.com', secret: 's' })
  const bells: Doorbell[] = []
  for (let n = 0; n < 24; n++) {
    // Every third job repeats the plan of one before it.
    const plan = testPlan(project, n % 8)
    const { job, ready } = await acceptTestJob(db.pool, project, { plan })
    bells.push(...ready, ...ready)
    if (n % 6 === 5) {
      const request = { projectId, jobId: job.id }
      bells.push(...ready)
      void withTransaction(db.pool, (tx) => cancelJob(tx, request))
    }
  }

  const work = async (workerId: string): Promise<void> => {
    for (let bell = bells.shift(); bell !== undefined; bell = bells.shift()) {
      const request = { stageId: bell.stageId, workerId, leaseMs: 60_000 }
      const result = await claimBestStage(db.pool, request)
      if (result.outcome === 'cached') bells.push(...result.ready)
      if (result.outcome !== 'claimed') continue
      bells.push(...(await attempt(result.claim)))
    }
  }
  for (;;) {
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(work))
    const open = await listJobs(db.pool, {
      projectId,
      limit: 100,
      states: ['queued', 'running', 'canceling'],
    })
    if (open.rows.length === 0) break
    // Back-offs are over and lost doorbells are old.
    await db.pool.query('UPDATE stage SET available_at = now(), rung_at = now()')
    bells.push(...(await reconcile(db.pool, { ringAgainMs: 0 })).ready)
  }

  const { rows: jobs } = await listJobs(db.pool, { projectId, limit: 100 })
  expect(jobs).toHaveLength(24)
  for (const job of jobs) {
    expect(isTerminalJobState(job.state)).toBe(true)
    const events = await listEvents(db.pool, { jobId: job.id, limit: 1000 })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
    const terminal = /^job\.(succeeded|failed|canceled|expired)$/
    expect(events.filter(({ type }) => terminal.test(type))).toHaveLength(1)
    expect(events.at(-1)!.type).toBe(`job.${job.state}`)
    const messages = await listWebhookMessagesOfJob(db.pool, job.id)
    expect(messages.filter(({ type }) => terminal.test(type))).toHaveLength(1)
    const artifacts = await listArtifacts(db.pool, job.id)
    expect(artifacts).toHaveLength(job.state === 'succeeded' ? 2 : 0)
  }
  // One key, one computation, however many jobs share it.
  const owners = await db.pool.query<{ key: string; n: number }>(
    `SELECT key, count(*) AS n FROM stage
     WHERE project_id = $1 AND state = 'succeeded' AND NOT from_cache GROUP BY key HAVING count(*) > 1`,
    [projectId],
  )
  expect(owners.rows).toEqual([])
  expect(new Set(jobs.map(({ state }) => state)).has('succeeded')).toBe(true)
})

async function countEvents(jobId: string, type: string): Promise<number> {
  const events = await listEvents(db.pool, { jobId, limit: 1000 })
  return events.filter((event) => event.type === type).length
}

test('stages that run side by side start the job once, and the last to end moves it on', async () => {
  const project = await createTestProject(db.pool)
  for (let seed = 0; seed < 12; seed++) {
    const { job, ready } = await acceptTestJob(db.pool, project, {
      plan: forkedPlan(project, seed),
    })
    const claims = await Promise.all(ready.map((bell) => claim(db.pool, bell)))
    expect(claims).toHaveLength(2)
    expect(await countEvents(job.id, 'job.started')).toBe(1)
    const ends = await Promise.all(claims.map((claimed) => complete(db.pool, claimed)))
    const next = ends.flatMap((end) => end.ready)
    expect(next).toMatchObject([{ kind: 'report' }])
    await complete(db.pool, await claim(db.pool, next[0]!))
    expect(await getJob(db.pool, job)).toMatchObject({ state: 'succeeded' })
  }
})

test('a cancel that meets the last result lets one of them win, never both', async () => {
  const project = await createTestProject(db.pool)
  const { projectId } = project
  for (let seed = 0; seed < 12; seed++) {
    const { job, ready } = await acceptTestJob(db.pool, project, {
      plan: forkedPlan(project, seed),
    })
    const claims = await Promise.all(ready.map((bell) => claim(db.pool, bell)))
    const bells = await Promise.all(claims.map((claimed) => complete(db.pool, claimed)))
    const last = await claim(db.pool, bells.flatMap((end) => end.ready)[0]!)
    const [canceled] = await Promise.allSettled([
      withTransaction(db.pool, (tx) => cancelJob(tx, { projectId, jobId: job.id })),
      complete(db.pool, last),
    ])
    const ended = await getJob(db.pool, job)
    expect(ended?.state).toBe(canceled.status === 'fulfilled' ? 'canceled' : 'succeeded')
    const ends = ['succeeded', 'canceled'].map((state) => countEvents(job.id, `job.${state}`))
    expect((await Promise.all(ends)).sort()).toEqual([0, 1])
  }
})

test('retries of one failed job at once are separate jobs that share the work', async () => {
  const project = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project)
  const request = { projectId: project.projectId, jobId: job.id }
  await withTransaction(db.pool, (tx) => cancelJob(tx, request))
  const retries = await Promise.all(
    Array.from({ length: 4 }, () => withTransaction(db.pool, (tx) => retryJob(tx, request))),
  )
  expect(new Set(retries.map(({ job: { id } }) => id)).size).toBe(4)
})
