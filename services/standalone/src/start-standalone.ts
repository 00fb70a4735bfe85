// The embedded stack: PostgreSQL, API and worker in one process tree, everything in one folder.
// API and worker are the same code as when they run apart; only their settings come from here. The
// worker is a process of its own, so that what it does never holds up an answer.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

import { readConfig as readApiConfig, type RunningApi, startApi } from '@pare/api'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@pare/database/embedded'
import { CodedError } from '@pare/errors'
import { readConfig as readWorkerConfig } from '@pare/worker'

import { keepApiKey, type KeptKey } from './api-key.js'
import type { StandaloneConfig } from './config.js'
import { startWorkerProcess, type WorkerProcess } from './worker-process.js'

export interface RunningStandalone {
  readonly url: string
  readonly apiKey: KeptKey
  /** Ends everything in order; running stages are handed back and go on at the next start. */
  readonly stop: () => Promise<void>
}

export async function startStandalone(config: StandaloneConfig): Promise<RunningStandalone> {
  checkSettings(config)
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const started: { postgres?: EmbeddedPostgres; api?: RunningApi; worker?: WorkerProcess } = {}
  // The worker first: it hands its stages back while the database still answers.
  const stop = async () => {
    await started.worker?.close()
    await started.api?.close()
    await started.postgres?.stop()
  }
  try {
    const postgres = (started.postgres = await startPostgres(join(config.dataDir, 'postgres')))
    const apiKey = await keepApiKey(config.dataDir, config.apiKey)
    const environment = environmentOf(config, postgres.url, apiKey.key)
    // The API migrates the database, which the worker needs.
    const api = (started.api = await startApi(readApiConfig(environment)))
    started.worker = await startWorkerProcess(environment)
    return { url: api.url, apiKey, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Before anything starts: a wrong setting is found whatever the address of the database will be. */
function checkSettings(config: StandaloneConfig): void {
  const environment = environmentOf(config, 'postgres://127.0.0.1/pare', config.apiKey ?? '')
  readApiConfig(environment)
  readWorkerConfig(environment)
}

/** A stack that was told to stop has this long; one that starts meanwhile waits for it. */
const STOP_PATIENCE_MS = 10_000

async function startPostgres(dataDir: string): Promise<EmbeddedPostgres> {
  const deadline = performance.now() + STOP_PATIENCE_MS
  for (;;) {
    try {
      return await startEmbeddedPostgres({ dataDir })
    } catch (error) {
      const isInUse = error instanceof CodedError && error.code === 'postgres_in_use'
      if (!isInUse || performance.now() > deadline) throw error
      await sleep(200)
    }
  }
}

/** What API and worker are told, besides what the environment sets. */
function environmentOf(
  { dataDir, environment }: StandaloneConfig,
  databaseUrl: string,
  apiKey: string,
): Readonly<Record<string, string>> {
  return {
    ...environment,
    DATABASE_URL: databaseUrl,
    STORAGE_URL: pathToFileURL(join(dataDir, 'blobs')).href,
    PARE_API_KEY: apiKey,
    PARE_DATA_DIR: dataDir,
  }
}
