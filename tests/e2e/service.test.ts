// Two API and two worker processes: what a customer is promised about requests, jobs and results.
import type { Job } from '@pare/contracts'
import { EVENTS_CHANNEL, listen } from '@pare/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { Client, type Page } from './harness/client.js'
import { type ApiProcess, Cluster, type Tenant } from './harness/cluster.js'
import { Gates } from './harness/gates.js'
import { findBreaches } from './harness/invariants.js'
import { dynamicJob, staticJob, submit, uploadExamples, type Uploads } from './harness/jobs.js'
import { findLeftovers } from './harness/leftovers.js'
import { descendantsOf, isAlive, type ProcessId } from './harness/process-tree.js'
import { until } from './harness/until.js'

let cluster: Cluster
let gates: Gates
let tenant: Tenant
let uploads: Uploads

beforeAll(async () => {
  cluster = await Cluster.start({ apis: 2, workers: 2 })
  gates = await Gates.build(cluster.database.pool)
  tenant = await cluster.tenant()
  uploads = await uploadExamples(tenant.client)
}, 120_000)
afterAll(async () => {
  await gates.dispose()
  await cluster.close()
})

const clientOf = ({ url }: ApiProcess): Client => new Client(url, tenant.key)

/** Jobs with this label, from the list. */
async function jobsLabelled(label: string): Promise<readonly Job[]> {
  const page = await tenant.client.get<Page<Job>>(`/v1/jobs?label.test=${label}`)
  return page.data
}

/** Ends the jobs that a test only wanted to submit. */
async function cancelAll(jobs: readonly Job[]): Promise<void> {
  for (const { id } of jobs) {
    await tenant.client.sendJson(`/v1/jobs/${id}/cancel`, {})
    await tenant.client.untilEnded(id)
  }
}

describe('the whole journey', () => {
  it('gives a model and a report, and the same job again comes from the cache', async () => {
    const { client } = tenant
    const first = await client.untilEnded((await submit(client, staticJob(uploads))).id)
    expect(first.state).toBe('succeeded')
    const artifacts = await client.artifacts(first.id)
    for (const artifact of artifacts) await client.download(artifact)

    const again = await client.untilEnded((await submit(client, staticJob(uploads))).id)
    expect(again.state).toBe('succeeded')
    expect(again.id).not.toBe(first.id)
    const stages = await client.stages(again.id)
    expect(stages.map(({ from_cache: fromCache }) => fromCache)).toEqual(stages.map(() => true))
    const hashes = async (id: string) => (await client.artifacts(id)).map(({ sha256 }) => sha256)
    expect(await hashes(again.id)).toEqual(await hashes(first.id))

    const shown = async (id: string) =>
      (await client.report(id)).stages.map(({ name, from_cache: fromCache }) => [name, fromCache])
    const names = ['prepare', '1-calibrate', '1-quantize_static', 'evaluate', 'report']
    expect(await shown(first.id)).toEqual(names.map((name) => [name, false]))
    expect(await shown(again.id)).toEqual(names.map((name) => [name, true]))
  }, 120_000)
})

describe('an idempotency key', () => {
  it('makes one job of 200 submissions at once through two API processes', async () => {
    const [first, second] = cluster.apis.map(clientOf)
    const body = { ...dynamicJob(uploads, 200), labels: { test: 'parallel' } }
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const client = (i % 2 === 0 ? first : second) ?? tenant.client
        const headers = { 'idempotency-key': 'two hundred' }
        const response = await client.sendJson('/v1/jobs', body, headers)
        return { status: response.status, job: (await response.json()) as Job }
      }),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1)
    const jobs = await jobsLabelled('parallel')
    expect(jobs).toHaveLength(1)
    await cancelAll(jobs)
  })

  it('gives the same job when the API dies before its commit, at its commit or after it', async () => {
    const moments: Record<string, (api: ApiProcess, sent: Promise<unknown>) => Promise<unknown>> = {
      before: async () => {
        await gates.untilReached('idempotency')
      },
      at: () => nextEvent('job.queued'),
      after: (_api, sent) => sent,
    }
    for (const [moment, untilThen] of Object.entries(moments)) {
      const api = await cluster.startApi()
      const body = { ...dynamicJob(uploads, 300), labels: { test: moment } }
      const headers = { 'idempotency-key': `killed ${moment}` }
      if (moment === 'before') await gates.close('idempotency')
      const waited = moment === 'at' ? untilThen(api, Promise.resolve()) : undefined
      const sent = clientOf(api)
        .sendJson('/v1/jobs', body, headers)
        .then(
          ({ status }) => status,
          () => 'no answer',
        )
      await (waited ?? untilThen(api, sent))
      await api.process.kill()
      if (moment === 'before') await gates.open('idempotency')
      const answer = await sent
      if (moment === 'before') expect(answer).toBe('no answer')
      if (moment === 'after') expect(answer).toBe(201)

      const retried = await tenant.client.post<Job>('/v1/jobs', body, headers)
      const repeated = await tenant.client.post<Job>('/v1/jobs', body, headers)
      expect(repeated.id).toBe(retried.id)
      const jobs = await jobsLabelled(moment)
      expect(jobs.map(({ id }) => id)).toEqual([retried.id])
      await cancelAll(jobs)
    }
  }, 120_000)
})

/** Resolves when the next job event of this type was committed. */
async function nextEvent(type: string): Promise<void> {
  const { url, pool } = cluster.database
  let isSeen = false
  const listener = await listen({
    connectionString: url,
    channels: [EVENTS_CHANNEL],
    onNotification: (_channel, payload) => {
      const { job, seq } = JSON.parse(payload) as { job?: string; seq?: number }
      if (job === undefined) return
      void pool
        .query('SELECT 1 FROM event WHERE job_id = $1 AND seq = $2 AND type = $3', [job, seq, type])
        .then(({ rows }) => (isSeen ||= rows.length > 0))
    },
    onError: () => undefined,
  })
  await until(`an event ${type}`, () => isSeen, { everyMs: 1 })
  await listener.close()
}

describe("another project's key", () => {
  it('gets 404 from every route with an id, and empty lists', async () => {
    const { client } = tenant
    const stranger = await cluster.tenant()
    const job = await client.untilEnded((await submit(client, staticJob(uploads))).id)
    const [artifact] = await client.artifacts(job.id)
    const ids: Record<string, string | undefined> = {
      models: uploads.model,
      datasets: uploads.dataset,
      jobs: job.id,
      artifacts: artifact?.id,
    }
    for (const kind of ['webhook-endpoints', 'webhook-deliveries', 'api-keys']) {
      ids[kind] = (await client.get<Page<{ id: string }>>(`/v1/${kind}`)).data[0]?.id
    }
    const { paths } = await client.get<{ paths: Record<string, object> }>('/openapi.json')
    const routes = Object.entries(paths)
      .filter(([path]) => path.startsWith('/v1/') && path.includes('{id}'))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => [method, path] as const))
    expect(routes.length).toBeGreaterThan(20)
    for (const [method, path] of routes) {
      const id = ids[path.split('/')[2] ?? '']
      expect([path, id]).toEqual([path, expect.any(String)])
      const body = { post: '{}', patch: '{"enabled":true}' }[method]
      const { status } = await stranger.client.send(path.replace('{id}', id ?? ''), {
        method: method.toUpperCase(),
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      })
      expect([method, path, status]).toEqual([method, path, 404])
    }
    for (const kind of ['models', 'datasets', 'jobs', 'webhook-deliveries']) {
      const page = await stranger.client.get<Page<unknown>>(`/v1/${kind}`)
      expect([kind, page.data]).toEqual([kind, []])
    }
  }, 120_000)
})

describe('a running job', () => {
  // The bound is a promise about the product; the retry is for what else this machine does.
  it(
    'ends within 2 s of its cancel and takes its engine along; a retry goes on from the cache',
    { retry: 2, timeout: 120_000 },
    async () => {
      const { client } = tenant
      const seed = 1000 + Math.floor(performance.now())
      const job = await submit(client, staticJob(uploads, seed))
      await until('the evaluation to run', async () =>
        (await runningStages(job.id)).includes('evaluate'),
      )
      const engines = await until('the engine and its spare', async () => {
        const found = await enginesOf(job.id)
        return found.length > 1 && found
      })
      const requested = performance.now()
      await client.post(`/v1/jobs/${job.id}/cancel`)
      const canceled = await client.untilEnded(job.id)
      const tookMs = performance.now() - requested
      expect(canceled.state).toBe('canceled')
      expect(tookMs).toBeLessThan(2000)
      await until('all but the spare to be gone', async () => {
        const alive = await Promise.all(engines.map(isAlive))
        return alive.filter(Boolean).length <= 1
      })

      const retry = await client.post<Job>(`/v1/jobs/${job.id}/retry`)
      expect(retry.id).not.toBe(job.id)
      expect(retry.parent_job).toBe(job.id)
      expect((await client.untilEnded(retry.id)).state).toBe('succeeded')
      const cached = (await client.stages(retry.id)).map(({ name, from_cache: fromCache }) => [
        name,
        fromCache,
      ])
      expect(cached).toEqual([
        ['prepare', true],
        ['1-calibrate', true],
        ['1-quantize_static', true],
        ['evaluate', false],
        ['report', false],
      ])
    },
  )

  it('finishes although every connection to the database is cut, twice', async () => {
    const { client } = tenant
    const job = await submit(client, staticJob(uploads, 7))
    for (const name of ['1-calibrate', 'evaluate']) {
      await until(`${name} to run`, async () =>
        (await runningStages(job.id).catch((): readonly string[] => [])).includes(name),
      )
      await cutConnections()
    }
    const ended = await until('the job to end', async () => {
      // The API may lose a request to the cut: a customer asks again.
      const found = await client.job(job.id).catch(() => null)
      return found?.timings.finished_at === null ? null : found
    })
    expect(ended.state).toBe('succeeded')
    expect((await client.send('/readyz')).status).toBe(200)
  }, 120_000)
})

async function runningStages(jobId: string): Promise<readonly string[]> {
  const stages = await tenant.client.stages(jobId)
  return stages.filter(({ state }) => state === 'running').map(({ name }) => name)
}

/** The engine processes of the worker that runs a stage of this job: that one and the warm spare. */
async function enginesOf(jobId: string): Promise<readonly ProcessId[]> {
  const { rows } = await cluster.database.pool.query<{ worker: string }>(
    `SELECT worker FROM stage WHERE job_id = $1 AND state = 'running'`,
    [jobId],
  )
  return descendantsOf(cluster.holderOf(rows[0]?.worker ?? '').pid)
}

/** All but those of this test. */
async function cutConnections(): Promise<void> {
  const { rows } = await cluster.database.pool.query<{ cut: boolean }>(
    `SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend'
       AND (application_name LIKE 'pare%' OR application_name = '')`,
  )
  expect(rows.length).toBeGreaterThan(4)
}

describe('the ledger', () => {
  it('is in order when all is done', async () => {
    expect(await findBreaches(cluster, tenant)).toEqual([])
  }, 150_000)

  it('would show it if a stage had run twice, an event were missing or a blob were another', async () => {
    const { pool } = cluster.database
    const spoiled = await cluster.tenant()
    const { client } = spoiled
    const { id } = await client.untilEnded(
      (await submit(client, staticJob(await uploadExamples(client)))).id,
    )
    expect(await findBreaches(cluster, spoiled)).toEqual([])
    await pool.query(
      `INSERT INTO usage SELECT stage_id, attempt + 1, project_id, job_id, kind, worker, outcome,
         started_at, finished_at FROM usage WHERE job_id = $1 AND kind = 'report'`,
      [id],
    )
    await pool.query(`UPDATE event SET type = 'job.succeeded' WHERE job_id = $1 AND seq = 4`, [id])
    await pool.query('DELETE FROM event WHERE job_id = $1 AND seq = 5', [id])
    await pool.query(
      `UPDATE artifact SET sha256 = (SELECT sha256 FROM artifact WHERE job_id = $1 AND name = 'report.json')
       WHERE job_id = $1 AND kind = 'model'`,
      [id],
    )
    const breaches = (await findBreaches(cluster, spoiled)).join('\n')
    expect(breaches).toContain('report was computed 2 times')
    expect(breaches).toContain('has 2 terminal events')
    expect(breaches).toContain('its event numbers have gaps')
    expect(breaches).toContain('model.onnx is not its blob')
  }, 150_000)

  it('has nothing left over when all has stopped', async () => {
    const codes = await cluster.stopServices()
    expect(new Set(codes)).toEqual(new Set([0]))
    expect(await findLeftovers(cluster)).toEqual([])
  })
})
