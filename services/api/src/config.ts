// The environment as one frozen object; every fault is named before the process gives up.
import { createHash } from 'node:crypto'

import { coerceError } from '@pare/errors'
import { LOG_LEVELS, type LogLevel } from '@pare/observability'
import { addressGuard } from '@pare/webhooks'

import { type ApiSettings, DEFAULT_SETTINGS } from './deps.js'
import { errors } from './errors.js'
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

type Environment = Readonly<Record<string, string | undefined>>

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
    apiKey: reader.apiKey('PARE_API_KEY'),
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
    webhookAllowCidrs: reader.cidrs('WEBHOOK_ALLOW_CIDRS'),
  }
}

function derivedSecret(databaseUrl: string): string {
  return createHash('sha256').update(`pare cursor\n${databaseUrl}`).digest('hex')
}

class EnvironmentReader {
  readonly #environment: Environment
  readonly #faults: string[] = []

  constructor(environment: Environment) {
    this.#environment = environment
  }

  text(name: string, fallback: string): string {
    return this.#environment[name] || fallback
  }

  url(name: string, protocols: readonly string[], fallback = ''): string {
    const value = this.text(name, fallback)
    if (URL.canParse(value) && protocols.includes(new URL(value).protocol)) return value
    // The value may hold a password: it is not repeated.
    this.#faults.push(`${name}: expected a URL that begins with ${protocols.join(' or ')}`)
    return ''
  }

  integer(
    name: string,
    bounds: { readonly fallback: number; readonly min: number; readonly max: number },
  ): number {
    const text = this.text(name, String(bounds.fallback))
    const value = Number(text)
    if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value
    this.#faults.push(`${name}: expected an integer from ${bounds.min} to ${bounds.max}`)
    return bounds.fallback
  }

  choice<const Choice extends string>(
    name: string,
    choices: readonly Choice[],
    fallback: Choice,
  ): Choice {
    const text = this.text(name, fallback)
    const found = choices.find((choice) => choice === text)
    if (found === undefined) this.#faults.push(`${name}: expected one of ${choices.join(', ')}`)
    return found ?? fallback
  }

  cidrs(name: string): readonly string[] {
    const ranges = this.text(name, '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    try {
      addressGuard(ranges)
    } catch (error) {
      this.#faults.push(`${name}: ${coerceError(error).message}`)
    }
    return ranges
  }

  apiKey(name: string): string | undefined {
    const key = this.text(name, '')
    if (key === '') return undefined
    if (KEY_PATTERN.test(key)) return key
    this.#faults.push(`${name}: expected 8 to 256 visible ASCII characters`)
    return undefined
  }

  throwFaults(): void {
    if (this.#faults.length === 0) return
    throw errors.configuration_invalid(this.#faults.join('\n'), {
      details: { errors: this.#faults.map((detail) => ({ detail, code: 'invalid' })) },
    })
  }
}
