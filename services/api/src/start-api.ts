// Builds the adapters, the application and its listener; the counterpart closes them in order.
import { createPool, migrate, type Pool } from '@pare/database'
import { createLogger, createMetrics, type Logger } from '@pare/observability'
import { openDoorbell } from '@pare/queue'
import { openBlobStore } from '@pare/storage'
import type { FastifyInstance } from 'fastify'

import { buildApp } from './app.js'
import type { ApiConfig } from './config.js'
import { createCursors } from './cursor.js'
import { openEventHub } from './events/event-hub.js'
import { ensureApiKey } from './use-cases/ensure-api-key.js'

export interface RunningApi {
  readonly app: FastifyInstance
  /** http://host:port as it listens now. */
  readonly url: string
  readonly pool: Pool
  /** Ends streams, waits for requests under way, closes all connections. */
  readonly close: () => Promise<void>
}

export interface StartApiOptions {
  readonly logger?: Logger
  /** Requests that have not ended after this long are cut off. */
  readonly drainMs?: number
}

const DRAIN_MS = 8000

/** Migrates the database first; of several processes that start together one does. */
export async function startApi(
  config: ApiConfig,
  {
    logger = createLogger({ service: 'api', level: config.logLevel }),
    drainMs = DRAIN_MS,
  }: StartApiOptions = {},
): Promise<RunningApi> {
  const closers: (() => Promise<unknown>)[] = []
  const closeAll = async () => {
    for (const close of closers.reverse()) await close()
  }
  try {
    await migrate(config.databaseUrl)
    const onError = (error: Error) => logger.warn({ err: error }, 'connection lost')
    const pool = createPool({
      connectionString: config.databaseUrl,
      max: config.poolSize,
      applicationName: 'pare:api',
      onError,
    })
    closers.push(() => pool.end())
    if (config.apiKey !== undefined) await ensureApiKey(pool, config.apiKey)
    const events = await openEventHub({ connectionString: config.databaseUrl, onError })
    closers.push(() => events.close())
    const store = await openBlobStore(config.storageUrl)
    closers.push(() => store.close())
    const doorbell = await openDoorbell(config.queueUrl, { onError })
    closers.push(() => doorbell.close())
    const app = await buildApp({
      ...{ pool, store, doorbell, events, logger, settings: config.settings },
      cursors: createCursors(config.cursorSecret),
      metrics: createMetrics({ processMetrics: true }),
    })
    const url = await app.listen({ host: config.host, port: config.port })
    closers.push(() => drain(app, drainMs))
    logger.info({ url }, 'api listens')
    return { app, url, pool, close: closeAll }
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function drain(app: FastifyInstance, drainMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), drainMs)
  await app.close()
  clearTimeout(timer)
}
