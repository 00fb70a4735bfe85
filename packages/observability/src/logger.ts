import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino'

export type Logger = PinoLogger

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  /** `api`, `worker`, …: on every line. */
  readonly service: string
  readonly level: LogLevel
  /** Default: standard output. */
  readonly destination?: DestinationStream
}

/** Fields that may hold a secret wherever somebody logs them, at most two levels deep. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'apiKey',
  'api_key',
  'secret',
  'password',
  'connectionString',
  'presignedUrl',
]

/**
 * The one logger of a process: JSON lines, time in ISO 8601 UTC. Messages are constants and data
 * goes into fields; children bind `jobId`, `stageId`, `requestId`.
 */
export function createLogger({ service, level, destination }: LoggerOptions): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]) },
    serializers: { error: serializeError, err: serializeError },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

interface LoggedError {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly details?: unknown
  readonly stack?: string
  readonly cause?: unknown
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack, cause } = error
  const logged: LoggedError = {
    name,
    message,
    ...('code' in error ? { code: error.code } : {}),
    ...('details' in error ? { details: error.details } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause: serializeError(cause) }),
  }
  return logged
}
