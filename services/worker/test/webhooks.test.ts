import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

import {
  createWebhookEndpoint,
  ensureProject,
  getWebhookEndpoint,
  listAttempts,
  listDeliveries,
  type WebhookDelivery,
} from '@pare/database'
import { generateWebhookSecret, verifyWebhook } from '@pare/webhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { oneStage, until, WorkerBench } from './worker-bench.js'

interface Heard {
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

describe('the webhooks of a job', () => {
  let bench: WorkerBench
  let sink: Server
  let url: string
  const heard: Heard[] = []
  /** Answers in turn; then 200. */
  const answers: number[] = []

  beforeAll(async () => {
    bench = await WorkerBench.open()
    sink = createServer((request, response) => {
      void buffer(request).then((body) => {
        heard.push({ headers: request.headers, body })
        response.writeHead(answers.shift() ?? 200).end('thanks')
      })
    })
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/hook`
    await bench.startWorker()
  })
  afterAll(async () => {
    await bench.close()
    sink.close()
  })

  it('are signed, sent again with the same id after a failure, and logged', async () => {
    const { pool } = bench.database
    const secret = generateWebhookSecret()
    const { id: projectId } = await ensureProject(pool, 'test')
    await createWebhookEndpoint(pool, { projectId, url, secret, events: ['job.succeeded'] })
    answers.push(500)
    await bench.ended(await bench.submit(oneStage('write')))
    const delivery = (attempts: number): Promise<WebhookDelivery> =>
      until(async () => {
        const { rows } = await listDeliveries(pool, { projectId, limit: 10 })
        return rows.find((row) => row.attempts === attempts) ?? null
      })
    expect(await delivery(1)).toMatchObject({ state: 'pending' })
    // The schedule's five seconds need not be waited for.
    await pool.query('UPDATE webhook_delivery SET next_attempt_at = now()')
    expect(await delivery(2)).toMatchObject({ state: 'succeeded' })

    expect(heard).toHaveLength(2)
    const [first, second] = heard
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
    expect(second!.body).toEqual(first!.body)
    for (const { headers, body } of heard) {
      const now = Math.floor(Date.now() / 1000)
      expect(() => verifyWebhook({ headers, body, secrets: [secret], now })).not.toThrow()
    }
    expect(JSON.parse(first!.body.toString())).toMatchObject({ type: 'job.succeeded' })
    const attempts = await listAttempts(pool, (await delivery(2)).id)
    expect(attempts.map(({ status }) => status).toSorted()).toEqual([200, 500])
    expect(attempts[0]).toMatchObject({ responseSnippet: 'thanks', ip: '127.0.0.1' })
  })
  it('are no longer sent to an endpoint that has failed for days', async () => {
    const { pool } = bench.database
    const { id: projectId } = await ensureProject(pool, 'test')
    const secret = generateWebhookSecret()
    const endpoint = await createWebhookEndpoint(pool, { projectId, url, secret, events: [] })
    await pool.query(
      `UPDATE webhook_endpoint SET failing_since = now() - interval '121 hours' WHERE id = $1`,
      [endpoint.id],
    )
    await pool.query('UPDATE webhook_endpoint SET enabled = (id = $1)', [endpoint.id])
    answers.push(...Array.from({ length: 20 }, () => 500))
    await bench.ended(await bench.submit(oneStage('write', { n: 2 })))
    const disabled = await until(async () => {
      const found = await getWebhookEndpoint(pool, { projectId, id: endpoint.id })
      return found?.enabled === false ? found : null
    })
    expect(disabled.disabledReason).toContain('120 hours')
  })
})
