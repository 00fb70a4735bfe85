import { isAbsolute, join, resolve } from 'node:path'

import { defineErrors } from '@pare/errors'

export const configErrors = defineErrors({
  standalone_config_invalid: {
    kind: 'invalid_input',
    title: 'The settings of the embedded stack are not usable',
  },
})

/** Settings of the embedded stack, from the environment. */
export interface StandaloneConfig {
  /** TCP port of the API; 0 takes a free one. PARE_PORT, default 8080. */
  readonly port: number
  /** Address the API listens on. PARE_HOST, default 127.0.0.1. */
  readonly host: string
  /** Folder that holds everything: database, blobs, key. PARE_DATA_DIR, default ./.pare */
  readonly dataDir: string
  /** API key; absent: the one kept in the data folder, or a new one. PARE_API_KEY */
  readonly apiKey?: string
  /** Stages that run at a time. PARE_WORKER_CONCURRENCY, default 1. */
  readonly concurrency: number
  /** Where stages compute. PARE_DEVICE, default cpu. */
  readonly device: 'cpu' | 'cuda'
  /** Address ranges webhooks may reach besides public ones. WEBHOOK_ALLOW_CIDRS, comma-separated. */
  readonly webhookAllowCidrs: readonly string[]
  /** PARE_LOG_LEVEL, default warn. */
  readonly logLevel: string
  /** Limits that API and worker read and check themselves: see PASSED_ON. */
  readonly passedOn: Readonly<Record<string, string>>
}

const PASSED_ON = [
  'PARE_ENGINE_MEMORY_MIB',
  'PARE_INSPECT_TIMEOUT_SECONDS',
  'PARE_MAX_UPLOAD_BYTES',
  'PARE_REQUESTS_PER_MINUTE',
  'PARE_STAGE_TIMEOUT_SECONDS',
  'PARE_WORKER_THREADS',
]

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the settings; all faults are reported together.
 * @throws standalone_config_invalid
 */
export function readConfig(env: Environment = process.env): StandaloneConfig {
  const faults: string[] = []
  const apiKey = env['PARE_API_KEY'] || undefined
  const device = env['PARE_DEVICE'] ?? 'cpu'
  if (device !== 'cpu' && device !== 'cuda') faults.push('PARE_DEVICE must be cpu or cuda')
  const dataDir = env['PARE_DATA_DIR'] ?? join(process.cwd(), '.pare')
  const config: StandaloneConfig = {
    port: integer(env, 'PARE_PORT', { fallback: 8080, min: 0, max: 65_535 }, faults),
    host: env['PARE_HOST'] ?? '127.0.0.1',
    dataDir: isAbsolute(dataDir) ? dataDir : resolve(dataDir),
    ...(apiKey === undefined ? {} : { apiKey }),
    concurrency: integer(env, 'PARE_WORKER_CONCURRENCY', { fallback: 1, min: 1, max: 64 }, faults),
    device: device === 'cuda' ? 'cuda' : 'cpu',
    webhookAllowCidrs: list(env['WEBHOOK_ALLOW_CIDRS']),
    logLevel: env['PARE_LOG_LEVEL'] ?? 'warn',
    passedOn: Object.fromEntries(
      PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
    ),
  }
  if (faults.length > 0) throw configErrors.standalone_config_invalid(faults.join('; '))
  return config
}

function integer(
  env: Environment,
  name: string,
  bounds: { readonly fallback: number; readonly min: number; readonly max: number },
  faults: string[],
): number {
  const text = env[name]
  if (text === undefined || text === '') return bounds.fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value
  faults.push(`${name} must be an integer from ${bounds.min} to ${bounds.max}`)
  return bounds.fallback
}

function list(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
