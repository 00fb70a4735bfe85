import { afterAll, beforeAll, expect, test } from 'vitest'

import { withTransaction } from './db.js'
import { newId } from './ids.js'
import { createTestDatabase, type TestDatabase } from './testing.js'
import {
  acceptTestJob,
  createTestProject,
  runAll,
  sha256Of,
  type TestProject,
} from './testing-job.js'
import {
  type AttemptReport,
  claimDueDeliveries,
  type DueDelivery,
  getDelivery,
  listAttempts,
  listDeliveries,
  recordAttempt,
  replayDelivery,
} from './webhook-deliveries.js'
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  getWebhookEndpoint,
  rotateWebhookSecret,
  updateWebhookEndpoint,
} from './webhook-endpoints.js'
import { insertWebhookMessage, listWebhookMessagesOfJob } from './webhook-messages.js'

let db: TestDatabase
beforeAll(async () => {
  db = await createTestDatabase()
})
afterAll(() => db.close())

function endpointOf(project: TestProject, events: readonly string[] = []) {
  const url = 'https://example.com/hook'
  return createWebhookEndpoint(db.pool, {
    projectId: project.projectId,
    url,
    secret: 'whsec_1',
    events,
  })
}

async function send(project: TestProject, type = 'job.succeeded') {
  const message = await withTransaction(db.pool, (tx) =>
    insertWebhookMessage(tx, {
      projectId: project.projectId,
      type,
      data: { id: newId('job') },
      at: new Date(0),
    }),
  )
  if (message === null) throw new Error('nobody wanted the message')
  return message
}

async function due(endpointId: string, limit = 100): Promise<readonly DueDelivery[]> {
  const claimed = await claimDueDeliveries(db.pool, { limit, leaseMs: 60_000 })
  return claimed.filter((delivery) => delivery.endpointId === endpointId)
}

function record(delivery: DueDelivery, change: Partial<AttemptReport>) {
  return withTransaction(db.pool, (tx) =>
    recordAttempt(tx, {
      deliveryId: delivery.deliveryId,
      token: delivery.token,
      startedAt: new Date(),
      durationMs: 12.4,
      outcome: { result: 'succeeded' },
      ...change,
    }),
  )
}

test('each endpoint gets one message per event that it wants, written with the event', async () => {
  const project = await createTestProject(db.pool)
  const all = await endpointOf(project)
  const some = await endpointOf(project, ['job.succeeded', 'job.failed'])
  await endpointOf(await createTestProject(db.pool))
  const { job, ready } = await acceptTestJob(db.pool, project, { labels: { team: 'vision' } })
  await runAll(db.pool, ready)

  const messages = await listWebhookMessagesOfJob(db.pool, job.id)
  const types = messages.map(({ type }) => type)
  expect(types[0]).toBe('job.started')
  expect(types.at(-1)).toBe('job.succeeded')
  expect(new Set(types)).toEqual(new Set(['job.started', 'job.progress', 'job.succeeded']))
  const body = JSON.parse(messages.at(-1)!.body.toString()) as Record<string, unknown>
  expect(body).toMatchObject({
    type: 'job.succeeded',
    data: {
      id: job.id,
      state: 'succeeded',
      labels: { team: 'vision' },
      artifacts: [{ kind: 'model', sha256: expect.any(String) as string }, { kind: 'report' }],
    },
  })
  const sequences = messages.map(
    ({ body: bytes }) =>
      (JSON.parse(bytes.toString()) as { data: { sequence: number } }).data.sequence,
  )
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b))

  const { projectId } = project
  const ofAll = await listDeliveries(db.pool, { projectId, endpointId: all.id, limit: 100 })
  const ofSome = await listDeliveries(db.pool, { projectId, endpointId: some.id, limit: 100 })
  expect(ofAll.rows).toHaveLength(messages.length)
  expect(ofSome.rows.map(({ type, jobId }) => [type, jobId])).toEqual([['job.succeeded', job.id]])
  const due = await claimDueDeliveries(db.pool, { limit: 100, leaseMs: 1, perEndpoint: 100 })
  expect(due.filter(({ endpointId }) => endpointId === some.id)).toMatchObject([
    { messageId: messages.at(-1)!.id, attempt: 1, scheduleStep: 0, secrets: ['whsec_1'] },
  ])
})

test('a body too big for a webhook loses its trimmings, not its meaning', async () => {
  const project = await createTestProject(db.pool)
  await endpointOf(project, ['job.started'])
  const labels = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [`label ${i}`, sha256Of(String(i))]),
  )
  const { job, ready } = await acceptTestJob(db.pool, project, { labels })
  await runAll(db.pool, ready)
  const [message] = await listWebhookMessagesOfJob(db.pool, job.id)
  expect(message!.body.length).toBeLessThan(20_000)
  expect(JSON.parse(message!.body.toString())).toMatchObject({
    data: { id: job.id, state: 'running', truncated: true },
  })
})

test('two senders never hold one delivery, and a lease that ended is due again', async () => {
  const project = await createTestProject(db.pool)
  const endpoints = await Promise.all(Array.from({ length: 10 }, () => endpointOf(project)))
  await send(project)
  const ids = new Set(endpoints.map(({ id }) => id))
  const claims = await Promise.all(
    Array.from({ length: 8 }, () => claimDueDeliveries(db.pool, { limit: 5, leaseMs: 60_000 })),
  )
  const mine = claims.flat().filter(({ endpointId }) => ids.has(endpointId))
  expect(new Set(mine.map(({ deliveryId }) => deliveryId)).size).toBe(mine.length)
  const first = mine[0]!
  await db.pool.query('UPDATE webhook_delivery SET lease_expires_at = now() WHERE id = $1', [
    first.deliveryId,
  ])
  const [again] = await due(first.endpointId)
  expect(again).toMatchObject({ deliveryId: first.deliveryId, messageId: first.messageId })
  expect(await record(first, {})).toBe(false)
  expect(await record(again!, {})).toBe(true)
  expect(await listAttempts(db.pool, first.deliveryId)).toHaveLength(1)
})

test('a sender does not wait for another one that is just taking its share', async () => {
  const project = await createTestProject(db.pool)
  const endpoint = await endpointOf(project)
  await send(project)
  await send(project)
  await withTransaction(db.pool, async (tx) => {
    const [mine] = await claimDueDeliveries(tx, { limit: 1, leaseMs: 60_000 })
    const theirs = await claimDueDeliveries(db.pool, { limit: 100, leaseMs: 60_000 })
    expect(theirs.some(({ endpointId }) => endpointId === endpoint.id)).toBe(true)
    expect(theirs.map(({ deliveryId }) => deliveryId)).not.toContain(mine?.deliveryId)
  })
})

test('a slow endpoint holds no more than its share of the senders', async () => {
  const project = await createTestProject(db.pool)
  const slow = await endpointOf(project)
  for (let i = 0; i < 9; i++) await send(project)
  expect(await due(slow.id)).toHaveLength(4)
  expect(await due(slow.id)).toHaveLength(0)
})

test('attempts are logged and the message keeps its id and bytes over retries and replays', async () => {
  const project = await createTestProject(db.pool)
  const endpoint = await endpointOf(project)
  const message = await send(project)
  const [one] = await due(endpoint.id)
  await record(one!, {
    status: 503,
    responseSnippet: 'a\0' + 'x'.repeat(5000),
    ip: '203.0.113.1',
    outcome: { result: 'retry', delayMs: 5000 },
  })
  expect(await due(endpoint.id)).toEqual([])
  await db.pool.query('UPDATE webhook_delivery SET next_attempt_at = now() WHERE id = $1', [
    one!.deliveryId,
  ])
  const [two] = await due(endpoint.id)
  expect(two).toMatchObject({ attempt: 2, scheduleStep: 1, messageId: message.id })
  await record(two!, { status: 200 })
  const { projectId } = project
  const id = one!.deliveryId
  expect(await getDelivery(db.pool, { projectId, id })).toMatchObject({
    state: 'succeeded',
    attempts: 2,
    nextAttemptAt: null,
  })
  await withTransaction(db.pool, (tx) => replayDelivery(tx, { projectId, id }))
  const [three] = await due(endpoint.id)
  expect(three).toMatchObject({ attempt: 3, scheduleStep: 0, messageId: message.id })
  expect(three!.body.equals(message.body)).toBe(true)
  await record(three!, { status: 204 })
  const attempts = await listAttempts(db.pool, id)
  expect(attempts.map(({ number, status }) => [number, status])).toEqual([
    [1, 503],
    [2, 200],
    [3, 204],
  ])
  expect(attempts[0]!.responseSnippet).toHaveLength(1024)
  expect(attempts[0]!.durationMs).toBe(12)
})

test('an endpoint that is gone is disabled and its other deliveries wait until it is back', async () => {
  const project = await createTestProject(db.pool)
  const endpoint = await endpointOf(project)
  await send(project)
  await send(project)
  const [one, two] = await due(endpoint.id)
  await record(two!, { outcome: { result: 'retry', delayMs: 0 } })
  await record(one!, {
    status: 410,
    outcome: { result: 'failed', disableEndpoint: 'the endpoint answered 410' },
  })
  const { id, projectId } = endpoint
  expect(await getWebhookEndpoint(db.pool, endpoint)).toMatchObject({
    enabled: false,
    disabledReason: 'the endpoint answered 410',
    consecutiveFailures: 2,
  })
  expect(await due(id)).toEqual([])
  await expect(send(project)).rejects.toThrow('nobody wanted')
  const back = await updateWebhookEndpoint(db.pool, { id, projectId, enabled: true })
  expect(back).toMatchObject({ enabled: true, disabledReason: null, consecutiveFailures: 0 })
  expect(await due(id)).toHaveLength(1)
})

test('after a rotation both secrets sign until the overlap ends', async () => {
  const project = await createTestProject(db.pool)
  const endpoint = await endpointOf(project)
  const rotate = (secret: string, overlapMs: number) =>
    withTransaction(db.pool, (tx) => rotateWebhookSecret(tx, { ...endpoint, secret, overlapMs }))
  await rotate('whsec_2', 3_600_000)
  await send(project)
  expect((await due(endpoint.id))[0]!.secrets).toEqual(['whsec_2', 'whsec_1'])
  await rotate('whsec_3', 0)
  await send(project)
  expect((await due(endpoint.id))[0]!.secrets).toEqual(['whsec_3'])
})

test('another project sees nothing of an endpoint or its deliveries', async () => {
  const project = await createTestProject(db.pool)
  const { projectId } = await createTestProject(db.pool)
  const { id } = await endpointOf(project)
  await send(project)
  const [one] = await due(id)
  expect(await getWebhookEndpoint(db.pool, { projectId, id })).toBeNull()
  expect(await deleteWebhookEndpoint(db.pool, { projectId, id })).toBe(false)
  expect((await listDeliveries(db.pool, { projectId, limit: 10 })).rows).toEqual([])
  const replay = withTransaction(db.pool, (tx) =>
    replayDelivery(tx, { projectId, id: one!.deliveryId }),
  )
  await expect(replay).rejects.toMatchObject({ code: 'webhook_delivery_not_found' })
  expect(await deleteWebhookEndpoint(db.pool, { projectId: project.projectId, id })).toBe(true)
})
