import { writeFile } from 'node:fs/promises'

import { cancelJob, claimStage, completeStage, withTransaction } from '@pare/database'
import { createTestDatabase, type TestDatabase } from '@pare/database/testing'
import type { PlannedStage } from '@pare/recipe'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { availableSurroundings, isAlive, oneStage, until, WorkerBench } from './worker-bench.js'

describe.each(availableSurroundings)('a worker in trouble, with %s', (surroundings) => {
  let bench: WorkerBench
  // Keeps the server up between the tests, each of which has a database of its own.
  let keeper: TestDatabase
  beforeAll(async () => {
    keeper = await createTestDatabase()
  })
  afterAll(() => keeper.close())
  beforeEach(async () => {
    bench = await WorkerBench.open(surroundings)
  })
  afterEach(() => bench.close())

  const gone = (pid: number): Promise<true> =>
    until(() => Promise.resolve(isAlive(pid) ? null : true))

  it('tries again when an engine is killed from outside, and finishes the job', async () => {
    await bench.startWorker()
    const file = bench.path('release')
    const test = await bench.submit(oneStage('wait', { file }))
    process.kill(await bench.pidOf(test, 'work'), 'SIGKILL')
    await until(async () => ((await bench.stage(test, 'work')).faults === 1 ? true : null))
    await writeFile(file, 'go')
    expect((await bench.ended(test)).state).toBe('succeeded')
    expect((await bench.stage(test, 'work')).attempt).toBe(2)
  })

  it('survives two crashes of a stage and gives up after the third', async () => {
    await bench.startWorker()
    const lucky = await bench.submit(
      oneStage('crashUntil', { file: bench.path('marks'), times: 2 }),
    )
    const unlucky = await bench.submit(oneStage('crash'))
    expect((await bench.ended(lucky)).state).toBe('succeeded')
    const job = await bench.ended(unlucky)
    expect(job).toMatchObject({
      state: 'failed',
      error: { code: 'engine_crashed', details: { signal: 'SIGSEGV', attempt: 3 } },
    })
  })

  it('kills an engine that blocks its event loop when the time of the stage is over', async () => {
    const { metrics } = await bench.startWorker({ stageTimeoutMs: 3000 })
    const test = await bench.submit(oneStage('spin'))
    const pid = await bench.pidOf(test, 'work')
    const job = await bench.ended(test)
    expect(job).toMatchObject({ state: 'failed', error: { code: 'stage_timed_out' } })
    await gone(pid)
    expect(await metrics.registry.metrics()).toContain(
      'pare_engine_kills_total{reason="timeout"} 1',
    )
  })

  it('deletes idempotency keys whose time is over, and no others', async () => {
    const { pool } = bench.database
    await pool.query(
      `INSERT INTO idempotency (scope, key, fingerprint, holder, locked_until, expires_at)
       SELECT 's', key, 'f', 'h', now(), now() + after
       FROM (VALUES ('over', interval '-1 second'), ('kept', interval '1 hour')) AS row(key, after)`,
    )
    await bench.startWorker()
    await until(async () => {
      const { rows } = await pool.query<{ key: string }>('SELECT key FROM idempotency')
      return rows.length === 1 && rows[0]?.key === 'kept' ? true : null
    })
  })

  it('ends a job at its own max_run_seconds', async () => {
    await bench.startWorker()
    const test = await bench.submit(oneStage('spin'), { change: { maxRunSeconds: 2 } })
    const end = bench.ended(test)
    // On a busy machine the deadline may come before the engine has said who it is.
    const pid = await Promise.race([bench.pidOf(test, 'work'), end.then(() => null)])
    expect(await end).toMatchObject({ state: 'failed', error: { code: 'run_deadline_passed' } })
    if (pid !== null) await gone(pid)
  })

  it('kills an engine that takes more memory than it may, and only that one', async () => {
    await bench.startWorker({ memoryLimitBytes: 300 * 2 ** 20 })
    const file = bench.path('release')
    const modest = await bench.submit(oneStage('wait', { file }))
    await bench.pidOf(modest, 'work')
    const greedy = await bench.ended(await bench.submit(oneStage('allocate')))
    expect(greedy).toMatchObject({ state: 'failed', error: { code: 'engine_memory_exceeded' } })
    await writeFile(file, 'go')
    expect((await bench.ended(modest)).state).toBe('succeeded')
  })

  it('cancels a running stage without waiting for a heartbeat, with everything that it had started', async () => {
    await bench.startWorker({ heartbeatMs: 60_000, leaseMs: 120_000 })
    const test = await bench.submit(oneStage('spawnChild'))
    const grandchild = await bench.pidOf(test, 'work')
    const start = performance.now()
    await withTransaction(bench.database.pool, (tx) =>
      cancelJob(tx, { projectId: test.projectId, jobId: test.job.id }),
    )
    const job = await bench.ended(test)
    expect(performance.now() - start).toBeLessThan(30_000)
    expect(job.state).toBe('canceled')
    await gone(grandchild)
  })

  it('cancels by its heartbeat when the notification was lost', async () => {
    await bench.startWorker()
    const test = await bench.submit(oneStage('spin'))
    const pid = await bench.pidOf(test, 'work')
    // The state of a cancel without its NOTIFY.
    await bench.database.pool.query(`UPDATE job SET state = 'canceling' WHERE id = $1`, [
      test.job.id,
    ])
    expect((await bench.ended(test)).state).toBe('canceled')
    await gone(pid)
  })

  it('finds a stage whose doorbell was lost', async () => {
    await bench.startWorker()
    const test = await bench.submit(oneStage('write'), { ring: false })
    expect((await bench.ended(test)).state).toBe('succeeded')
  })

  it('runs a stage once although two workers hear its doorbell many times', async () => {
    const first = await bench.startWorker()
    const second = await bench.startWorker()
    const test = await bench.submit(oneStage('write'), { ring: false })
    const { id } = await bench.stage(test, 'work')
    for (let i = 1; i <= 8; i++) {
      await bench.ring([
        { stageId: id, attempt: i, kind: 'prepare', priority: 'normal', device: 'cpu', delayMs: 0 },
      ])
    }
    expect((await bench.ended(test)).state).toBe('succeeded')
    const started = await Promise.all(
      [first, second].map(({ metrics }) => metrics.stagesStarted.get()),
    )
    const ofKind = started
      .flatMap(({ values }) => values)
      .filter(({ labels }) => labels.kind === 'prepare')
    expect(ofKind.map(({ value }) => value)).toEqual([1])
    expect(await bench.eventTypes(test)).toEqual([
      'job.queued',
      'stage.queued',
      'job.started',
      'stage.started',
      'stage.succeeded',
      'job.progress',
      'job.finalizing',
      'job.succeeded',
    ])
  })

  it('commits nothing under a token that another attempt has overtaken', async () => {
    const { metrics } = await bench.startWorker()
    const file = bench.path('release')
    const test = await bench.submit(oneStage('wait', { file }))
    const pid = await bench.pidOf(test, 'work')
    // Another worker takes the stage, as it may when the lease has run out.
    await bench.database.pool.query(
      `UPDATE stage SET token = nextval('stage_token'), worker = 'other',
         lease_expires_at = now() + interval '1 hour' WHERE job_id = $1`,
      [test.job.id],
    )
    await gone(pid)
    await until(async () => {
      const text = await metrics.registry.metrics()
      return text.includes('outcome="dropped"} 1') ? true : null
    })
    const { token, id } = await bench.stage(test, 'work')
    await expect(
      withTransaction(bench.database.pool, (tx) =>
        completeStage(tx, { stageId: id, token: token! - 1, outputs: {}, metrics: {} }),
      ),
    ).rejects.toMatchObject({ code: 'stage_token_stale' })
    expect(await bench.stage(test, 'work')).toMatchObject({ state: 'running', worker: 'other' })
  })

  it('hands its stages back when it stops, uncharged, and leaves nothing on the disk', async () => {
    const { worker } = await bench.startWorker()
    const file = bench.path('release')
    const test = await bench.submit(oneStage('wait', { file }))
    const pid = await bench.pidOf(test, 'work')
    await worker.stop()
    expect(isAlive(pid)).toBe(false)
    expect(await bench.stage(test, 'work')).toMatchObject({ state: 'queued', faults: 0 })
    expect(await bench.engineFolders()).toEqual([])

    await writeFile(file, 'go')
    await bench.startWorker()
    expect((await bench.ended(test)).state).toBe('succeeded')
  })

  it('goes on after the database has cut every connection', async () => {
    await bench.startWorker()
    const file = bench.path('release')
    const test = await bench.submit(oneStage('wait', { file }))
    await bench.pidOf(test, 'work')
    await bench.database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    await writeFile(file, 'go')
    expect((await bench.ended(test)).state).toBe('succeeded')
    const next = await bench.submit(oneStage('write', { n: 2 }), { ring: false })
    expect((await bench.ended(next)).state).toBe('succeeded')
  })

  it('finishes a backlog job by job, and counts for each only the time in which it ran', async () => {
    const stages = (n: number): PlannedStage[] =>
      ['a', 'b'].map((name) => ({
        ...{ name, kind: 'prepare', inputs: [] },
        params: { n, name, action: 'pause', ms: 300 },
        ...(name === 'a'
          ? {}
          : { inputs: [{ role: 'model', from: { stage: 'a', role: 'model' } }] }),
      }))
    const tests = []
    for (let n = 0; n < 3; n++) {
      tests.push(await bench.submit(stages(n), { change: { maxRunSeconds: 60 } }))
    }
    await bench.startWorker({ concurrency: 1 })
    const jobs = []
    for (const test of tests) jobs.push(await bench.ended(test))
    expect(jobs.map(({ state }) => state)).toEqual(Array(3).fill('succeeded'))
    // Each began when the one before it had ended, and none waited while its clock ran.
    for (const [n, job] of jobs.entries()) {
      const before = jobs[n - 1]
      if (before === undefined) continue
      expect(job.startedAt!.getTime()).toBeGreaterThanOrEqual(before.finishedAt!.getTime())
    }
    const first = jobs[0]!.startedAt!.getTime()
    const last = jobs.at(-1)!.finishedAt!.getTime()
    const ran = jobs.reduce((sum, { runSeconds }) => sum + (runSeconds ?? NaN), 0)
    expect(ran * 1000).toBeLessThanOrEqual(last - first)
  })

  it('gives a stage that somebody claimed and forgot to somebody else', async () => {
    const test = await bench.submit(oneStage('write'), { ring: false })
    const { id } = await bench.stage(test, 'work')
    await withTransaction(bench.database.pool, (tx) =>
      claimStage(tx, { stageId: id, workerId: 'dead', leaseMs: 300 }),
    )
    await bench.startWorker()
    expect((await bench.ended(test)).state).toBe('succeeded')
    expect((await bench.stage(test, 'work')).attempt).toBe(2)
  })
})
