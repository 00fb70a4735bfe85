import { randomBytes } from 'node:crypto'
import { availableParallelism, hostname, tmpdir, totalmem, userInfo } from 'node:os'
import { join } from 'node:path'

import { ENGINE_PATH } from './engine-path.js'
import type { WorkerSettings } from './worker-deps.js'

const GIBIBYTE = 2 ** 30

/** Settings that suit this machine, with what the caller knows better. */
export function workerSettings(known: Partial<WorkerSettings> = {}): WorkerSettings {
  const devices = known.devices ?? ['cpu']
  // Two processors a stage: one computes while the other measures, loads or hashes.
  const atOnce = Math.floor(availableParallelism() / 2 / devices.length)
  const concurrency = known.concurrency ?? Math.max(1, atOnce)
  const slots = concurrency * devices.length
  return {
    workerId: `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`,
    concurrency,
    threads: Math.max(1, Math.floor(availableParallelism() / slots)),
    devices,
    // The temporary folder is everybody's; this one is its owner's alone.
    workRoot: join(tmpdir(), `pare-work-${userInfo().uid}`),
    enginePath: ENGINE_PATH,
    libraryPath: undefined,
    leaseMs: 10_000,
    heartbeatMs: 1500,
    reconcileMs: 1000,
    ringAgainMs: 5000,
    stageTimeoutMs: 6 * 60 * 60 * 1000,
    inspectTimeoutMs: 3 * 60 * 1000,
    // Engines share what is left after the worker, the database and the file cache.
    memoryLimitBytes: Math.max(GIBIBYTE, Math.floor((0.75 * machineMemory()) / slots)),
    outputLimitBytes: 16 * GIBIBYTE,
    // The most that protobuf can hold.
    maxOnnxBytes: 2 * GIBIBYTE - 1,
    drainMs: 5000,
    webhookAllowCidrs: [],
    ...known,
  }
}

/** The container's limit where there is one. */
function machineMemory(): number {
  const constrained = process.constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
