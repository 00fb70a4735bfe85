import { afterAll, beforeAll, expect, test } from 'vitest'

import { cancelJob } from './cancel-job.js'
import { withTransaction } from './db.js'
import { appendEvent, CANCEL_CHANNEL, EVENTS_CHANNEL, listEvents } from './events.js'
import { listen, type Listener } from './listen.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import { acceptTestJob, claim, complete, createTestProject } from './testing-job.js'

let db: TestDatabase
const listeners: Listener[] = []
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(async () => {
  for (const listener of listeners) await listener.close()
  await db.close()
})

type Heard = Readonly<Record<string, unknown>>

/** What is heard, in order; `until` waits for the first that matches. */
async function ear(channel: string) {
  const heard: Heard[] = []
  const waiting: { test: (item: Heard) => boolean; resolve: (item: Heard) => void }[] = []
  let connections = 0
  const onConnected: (() => void)[] = []
  const listener = await listen({
    connectionString: db.url,
    channels: [channel],
    onNotification: (_, payload) => {
      const item = JSON.parse(payload) as Heard
      heard.push(item)
      for (const wait of waiting) if (wait.test(item)) wait.resolve(item)
    },
    onConnect: () => {
      connections++
      onConnected.splice(0).forEach((resolve) => resolve())
    },
    retryMs: 10,
  })
  listeners.push(listener)
  const until = (test: (item: Heard) => boolean) =>
    new Promise<Heard>((resolve) => {
      const found = heard.find(test)
      if (found === undefined) waiting.push({ test, resolve })
      else resolve(found)
    })
  const reconnected = () => new Promise<void>((resolve) => onConnected.push(resolve))
  return { heard, until, reconnected, connections: () => connections }
}

test('each event is told once, after its commit, in order', async () => {
  const { heard, until } = await ear(EVENTS_CHANNEL)
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const rolledBack = withTransaction(db.pool, async (tx) => {
    await appendEvent(tx, { jobId: job.id, type: 'lost', data: {} })
    throw new Error('rolled back')
  })
  await expect(rolledBack).rejects.toThrow('rolled back')
  await complete(db.pool, await claim(db.pool, ready[0]!))
  const events = await listEvents(db.pool, { jobId: job.id, limit: 100 })
  await until(({ job: id, seq }) => id === job.id && seq === events.at(-1)!.seq)
  const mine = heard.filter((item) => item['job'] === job.id).map((item) => item['seq'])
  expect(mine).toEqual(events.map(({ seq }) => seq))
})

test('a cancel names the stages that have to stop', async () => {
  const { until } = await ear(CANCEL_CHANNEL)
  const project = await createTestProject(db.pool)
  const { job, ready } = await acceptTestJob(db.pool, project)
  const { stageId } = await claim(db.pool, ready[0]!)
  const request = { projectId: project.projectId, jobId: job.id }
  await withTransaction(db.pool, (tx) => cancelJob(tx, request))
  expect(await until((item) => item['job'] === job.id)).toEqual({ job: job.id, stage: stageId })
})

test('a listener whose connection was cut comes back', async () => {
  const { until, reconnected } = await ear(EVENTS_CHANNEL)
  const back = reconnected()
  await db.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'pare:listen' AND datname = current_database()`,
  )
  await back
  const project = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project)
  await until((item) => item['job'] === job.id)
})

test('events numbered by many writers at once have no gap and commit in order', async () => {
  const project = await createTestProject(db.pool)
  const { job } = await acceptTestJob(db.pool, project)
  await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      withTransaction(db.pool, (tx) =>
        appendEvent(tx, { jobId: job.id, type: 'note', data: { n } }),
      ).then(async ({ seq }) => {
        // Whoever sees a number sees all before it: a reader's cursor never skips one.
        const seen = await listEvents(db.pool, { jobId: job.id, limit: 100 })
        expect(seen.filter((event) => event.seq <= seq)).toHaveLength(seq)
      }),
    ),
  )
  const after = await listEvents(db.pool, { jobId: job.id, afterSeq: 2, limit: 10 })
  expect(after.map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
})
