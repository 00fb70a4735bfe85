// For load balancers and monitoring: no key, nothing about any project.
import { Type } from 'typebox'

import type { ApiDeps } from '../../deps.js'
import { errors } from '../../errors.js'
import { problems } from '../responses.js'
import type { RoutePlugin } from '../route-plugin.js'

const tags = ['operations']
const CHECK_TIMEOUT_MS = 3000

const healthSchema = {
  tags,
  summary: 'Is the process alive?',
  security: [],
  response: { 200: Type.Object({ status: Type.Literal('ok') }) },
}

const CheckResults = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  additionalProperties: { type: 'string' },
})

const readySchema = {
  tags,
  summary: 'Can the process work: do database, queue and storage answer?',
  security: [],
  response: {
    200: Type.Object({ status: Type.Literal('ready'), checks: CheckResults }),
    ...problems(503),
  },
}

const metricsSchema = {
  tags,
  summary: 'Prometheus metrics',
  security: [],
  response: {
    200: {
      description: 'Text exposition format',
      content: { 'text/plain': { schema: Type.String() } },
    },
  },
}

export const healthRoutes: RoutePlugin = (app, { deps }, done) => {
  app.get('/healthz', { schema: healthSchema }, () => ({ status: 'ok' as const }))

  app.get('/readyz', { schema: readySchema }, async () => {
    const checks = await runChecks(deps)
    const failed = Object.keys(checks).filter((name) => checks[name] !== 'ok')
    if (failed.length === 0) return { status: 'ready' as const, checks }
    throw errors.not_ready(`no answer from: ${failed.join(', ')}`, { details: { checks } })
  })

  app.get('/metrics', { schema: metricsSchema }, async (_request, reply) => {
    const { metrics, doorbell } = deps
    await doorbell.countWaiting().then(
      (count) => metrics.queueWaiting.set(count),
      // The gauge keeps its last value; readyz tells that the queue is away.
      () => undefined,
    )
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })

  done()
}

async function runChecks({ pool, store, doorbell, events }: ApiDeps) {
  const checks: Readonly<Record<string, () => Promise<unknown>>> = {
    process: () => (events.isClosing() ? Promise.reject(new Error('stopping')) : Promise.resolve()),
    database: () => pool.query('SELECT 1'),
    queue: () => doorbell.checkHealth(),
    storage: () => store.checkHealth(),
  }
  const results = Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)])
  return Object.fromEntries(await Promise.all(results)) as Record<string, string>
}

/** Why it failed is for the log of the part itself: this page has no key before it. */
async function outcome(check: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('no answer in time'), CHECK_TIMEOUT_MS)
  })
  const result = await Promise.race([
    check().then(
      () => 'ok',
      () => 'failed',
    ),
    late,
  ])
  clearTimeout(timer)
  return result
}
