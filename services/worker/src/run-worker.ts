// Builds the adapters and the worker from a configuration; the counterpart closes them in order.
import { createPool, migrate } from '@pare/database'
import { createLogger, createMetrics, type Logger, type Metrics } from '@pare/observability'
import { openDoorbell } from '@pare/queue'
import { openBlobStore } from '@pare/storage'

import type { WorkerConfig } from './config.js'
import { startMetricsServer } from './metrics-server.js'
import { type RunningWorker, startWorker } from './start-worker.js'

export interface RunWorkerOptions {
  readonly logger?: Logger
  /** Default: a registry of its own, with the process's own metrics. */
  readonly metrics?: Metrics
}

export interface WorkerProcess {
  readonly worker: RunningWorker
  /** http://host:port of /metrics and /healthz; null without a port. */
  readonly metricsUrl: string | null
  /** Stops the worker, then closes everything that was opened for it. */
  readonly close: () => Promise<void>
}

/** Migrates the database first; of several processes that start together one does. */
export async function runWorker(
  config: WorkerConfig,
  {
    logger = createLogger({ service: 'worker', level: config.logLevel }),
    metrics = createMetrics({ processMetrics: true }),
  }: RunWorkerOptions = {},
): Promise<WorkerProcess> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne()
  }
  const onError = (error: Error): void => logger.warn({ error }, 'connection lost')
  try {
    await migrate(config.databaseUrl)
    const pool = createPool({
      connectionString: config.databaseUrl,
      max: config.poolSize,
      applicationName: 'pare:worker',
      onError,
    })
    closers.push(() => pool.end())
    const { storageCredentials: credentials } = config
    const storeOptions = credentials === undefined ? {} : { credentials }
    const store = await openBlobStore(config.storageUrl, storeOptions)
    closers.push(() => store.close())
    const doorbell = await openDoorbell(config.queueUrl, { onError })
    closers.push(() => doorbell.close())
    const deps = { pool, store, doorbell, logger, metrics, databaseUrl: config.databaseUrl }
    const worker = await startWorker(deps, config.settings)
    closers.push(() => worker.stop())
    const server =
      config.metricsPort === null ? null : await startMetricsServer(metrics, config.metricsPort)
    if (server !== null) closers.push(server.close)
    if (server !== null) logger.info({ metricsUrl: server.url }, 'metrics served')
    return { worker, metricsUrl: server?.url ?? null, close }
  } catch (error) {
    await close()
    throw error
  }
}
