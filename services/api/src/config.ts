// The environment as one frozen object; every fault is named before the process gives up.
import { createHash } from 'node:crypto'

import { LOG_LEVELS, type LogLevel } from '@pare/observability'
import { type Environment, EnvironmentReader } from '@pare/settings'
import { addressGuard } from '@pare/webhooks'

import { type ApiSettings, DEFAULT_SETTINGS } from './deps.js'
import { KEY_PATTERN } from './plugins/auth.js'

export interface ApiConfig {
  readonly databaseUrl: string
  readonly queueUrl: string
  readonly storageUrl: string
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly logLevel: LogLevel
  /** Signs list cursors; the same for all API processes of an installation. */
  readonly cursorSecret: string
  /** A key to accept for the project `default`, made there when it does not exist. */
  readonly apiKey: string | undefined
  readonly poolSize: number
  readonly settings: ApiSettings
}

/** @throws configuration_invalid with one entry per fault */
export function readConfig(environment: Environment = process.env): ApiConfig {
  const reader = new EnvironmentReader(environment)
  const databaseUrl = reader.url('DATABASE_URL', ['postgres:', 'postgresql:'])
  const config: ApiConfig = {
    databaseUrl,
    queueUrl: reader.url('QUEUE_URL', QUEUE_PROTOCOLS, databaseUrl),
    storageUrl: reader.url('STORAGE_URL', ['file:', 's3:']),
    host: reader.text('PARE_HOST', '127.0.0.1'),
    port: reader.integer('PARE_PORT', { fallback: 8080, min: 0, max: 65_535 }),
    logLevel: reader.choice('PARE_LOG_LEVEL', LOG_LEVELS, 'info'),
    // Derived from what all processes of an installation share, so that nothing more must be set.
    cursorSecret: reader.text('PARE_CURSOR_SECRET', derivedSecret(databaseUrl)),
    apiKey: readApiKey(reader),
    poolSize: reader.integer('PARE_DATABASE_CONNECTIONS', { fallback: 10, min: 2, max: 200 }),
    settings: readSettings(reader),
  }
  reader.throwFaults()
  return Object.freeze(config)
}

const QUEUE_PROTOCOLS = ['postgres:', 'postgresql:', 'redis:', 'rediss:']

function readSettings(reader: EnvironmentReader): ApiSettings {
  const { maxUploadBytes, requestsPerMinute } = DEFAULT_SETTINGS
  return {
    ...DEFAULT_SETTINGS,
    maxUploadBytes: reader.integer('PARE_MAX_UPLOAD_BYTES', {
      fallback: maxUploadBytes,
      min: 1,
      max: 2 ** 40,
    }),
    requestsPerMinute: reader.integer('PARE_REQUESTS_PER_MINUTE', {
      fallback: requestsPerMinute,
      min: 1,
      max: 10_000_000,
    }),
    webhookAllowCidrs: reader.list('WEBHOOK_ALLOW_CIDRS', addressGuard),
  }
}

function derivedSecret(databaseUrl: string): string {
  return createHash('sha256').update(`pare cursor\n${databaseUrl}`).digest('hex')
}

function readApiKey(reader: EnvironmentReader): string | undefined {
  const key = reader.optionalText('PARE_API_KEY')
  if (key === undefined || KEY_PATTERN.test(key)) return key
  reader.fault('PARE_API_KEY', 'expected 8 to 256 visible ASCII characters')
  return undefined
}
