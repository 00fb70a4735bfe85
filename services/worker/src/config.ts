// The environment as one frozen object; every fault is named before the process gives up.
import { join } from 'node:path'

import { LOG_LEVELS, type LogLevel } from '@pare/observability'
import { type Device, DEVICES } from '@pare/recipe'
import { type Environment, EnvironmentReader } from '@pare/settings'
import type { S3Credentials } from '@pare/storage'

import { workerSettings } from './default-settings.js'
import type { WorkerSettings } from './worker-deps.js'

export interface WorkerConfig {
  readonly databaseUrl: string
  /** Default: the database. */
  readonly queueUrl: string
  readonly storageUrl: string
  /** For an `s3:` store; absent: the SDK's own chain (instance role, …). */
  readonly storageCredentials: S3Credentials | undefined
  readonly logLevel: LogLevel
  /** Connections to the database at most. */
  readonly poolSize: number
  /** Where /metrics and /healthz are served; null for nowhere. */
  readonly metricsPort: number | null
  readonly settings: WorkerSettings
}

const DATABASE_PROTOCOLS = ['postgres:', 'postgresql:']
const QUEUE_PROTOCOLS = [...DATABASE_PROTOCOLS, 'redis:', 'rediss:']
const MEBIBYTE = 2 ** 20
const MAX_SECONDS = 7 * 24 * 60 * 60

/** @throws configuration_invalid, whose message has one line per fault */
export function readConfig(environment: Environment = process.env): WorkerConfig {
  const reader = new EnvironmentReader(environment)
  const databaseUrl = reader.url('DATABASE_URL', DATABASE_PROTOCOLS)
  const config: WorkerConfig = {
    databaseUrl,
    queueUrl: reader.url('QUEUE_URL', QUEUE_PROTOCOLS, databaseUrl),
    storageUrl: reader.url('STORAGE_URL', ['file:', 's3:']),
    storageCredentials: readCredentials(reader),
    logLevel: reader.choice('PARE_LOG_LEVEL', LOG_LEVELS, 'info'),
    poolSize: reader.integer('PARE_DATABASE_CONNECTIONS', { fallback: 10, min: 2, max: 200 }),
    metricsPort: reader.optionalInteger('PARE_METRICS_PORT', { min: 0, max: 65_535 }) ?? null,
    settings: readSettings(reader),
  }
  reader.throwFaults()
  return Object.freeze(config)
}

function readSettings(reader: EnvironmentReader): WorkerSettings {
  const concurrency = reader.optionalInteger('PARE_WORKER_CONCURRENCY', { min: 1, max: 256 })
  const threads = reader.optionalInteger('PARE_WORKER_THREADS', { min: 1, max: 1024 })
  const memory = reader.optionalInteger('PARE_ENGINE_MEMORY_MIB', { min: 128, max: 2 ** 30 })
  const stage = reader.optionalInteger('PARE_STAGE_TIMEOUT_SECONDS', { min: 1, max: MAX_SECONDS })
  const inspect = reader.optionalInteger('PARE_INSPECT_TIMEOUT_SECONDS', {
    min: 1,
    max: MAX_SECONDS,
  })
  const lease = reader.optionalInteger('PARE_LEASE_SECONDS', { min: 2, max: 3600 })
  const onnx = reader.optionalInteger('PARE_MAX_ONNX_BYTES', { min: 0, max: 2 ** 31 - 1 })
  const dataDir = reader.text('PARE_DATA_DIR', '')
  return workerSettings({
    devices: readDevices(reader),
    libraryPath: reader.text('PARE_ENGINE_LIBRARY_PATH', '') || undefined,
    webhookAllowCidrs: reader.list('WEBHOOK_ALLOW_CIDRS'),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(threads === undefined ? {} : { threads }),
    ...(dataDir === '' ? {} : { workRoot: join(dataDir, 'work') }),
    ...(memory === undefined ? {} : { memoryLimitBytes: memory * MEBIBYTE }),
    ...(stage === undefined ? {} : { stageTimeoutMs: stage * 1000 }),
    ...(inspect === undefined ? {} : { inspectTimeoutMs: inspect * 1000 }),
    ...(onnx === undefined ? {} : { maxOnnxBytes: onnx }),
    ...(lease === undefined ? {} : leaseSettings(lease)),
  })
}

function readDevices(reader: EnvironmentReader): readonly Device[] {
  const items = reader.list('PARE_WORKER_DEVICES', (wanted) => {
    if (wanted.some((item) => !isDevice(item))) throw new Error(`expected ${DEVICES.join(', ')}`)
  })
  const devices = DEVICES.filter((device) => items.includes(device))
  return devices.length === 0 ? ['cpu'] : devices
}

function isDevice(word: string): word is Device {
  return (DEVICES as readonly string[]).includes(word)
}

/** Five beats fit into a lease, so that one lost beat loses no stage. */
function leaseSettings(seconds: number): Pick<WorkerSettings, 'leaseMs' | 'heartbeatMs'> {
  return { leaseMs: seconds * 1000, heartbeatMs: Math.min(1500, seconds * 200) }
}

function readCredentials(reader: EnvironmentReader): S3Credentials | undefined {
  const accessKeyId = reader.text('AWS_ACCESS_KEY_ID', '')
  const secretAccessKey = reader.text('AWS_SECRET_ACCESS_KEY', '')
  const sessionToken = reader.text('AWS_SESSION_TOKEN', '')
  if (accessKeyId === '' || secretAccessKey === '') return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) }
}
