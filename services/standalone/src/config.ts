import { join, resolve } from 'node:path'

import { type Environment, EnvironmentReader } from '@pare/settings'

/** Settings of the embedded stack, from the environment. */
export interface StandaloneConfig {
  /** Folder that holds everything: database, blobs, key. PARE_DATA_DIR, default ./.pare */
  readonly dataDir: string
  /** API key; absent: the one kept in the data folder, or a new one. PARE_API_KEY */
  readonly apiKey: string | undefined
  /** Settings that API and worker read and check themselves. */
  readonly environment: Readonly<Record<string, string>>
}

/** What the stack chooses differently from API and worker on their own. */
const DEFAULTS = { PARE_HOST: '127.0.0.1', PARE_PORT: '8080', PARE_LOG_LEVEL: 'warn' }

/** Handed on where they are set. Database, queue and store are the stack's own. */
const PASSED_ON = [
  'PARE_WORKER_DEVICES',
  'PARE_ENGINE_LIBRARY_PATH',
  'PARE_ENGINE_MEMORY_MIB',
  'PARE_HOST',
  'PARE_INSPECT_TIMEOUT_SECONDS',
  'PARE_LEASE_SECONDS',
  'PARE_LOG_LEVEL',
  'PARE_MAX_ONNX_BYTES',
  'PARE_MAX_UPLOAD_BYTES',
  'PARE_PORT',
  'PARE_REQUESTS_PER_MINUTE',
  'PARE_STAGE_TIMEOUT_SECONDS',
  'PARE_WORKER_CONCURRENCY',
  'PARE_WORKER_THREADS',
  'WEBHOOK_ALLOW_CIDRS',
]

export function readConfig(environment: Environment = process.env): StandaloneConfig {
  const reader = new EnvironmentReader(environment)
  return {
    dataDir: resolve(reader.text('PARE_DATA_DIR', join(process.cwd(), '.pare'))),
    apiKey: reader.optionalText('PARE_API_KEY'),
    environment: {
      ...DEFAULTS,
      ...Object.fromEntries(
        PASSED_ON.flatMap((name) => {
          const value = reader.optionalText(name)
          return value === undefined ? [] : [[name, value]]
        }),
      ),
    },
  }
}
