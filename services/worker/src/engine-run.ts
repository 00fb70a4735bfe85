// Gives an engine its inputs and its order, and watches over the limits while it works.
import { join } from 'node:path'

import type { ClaimedStage } from '@pare/database'
import type { BlobStore } from '@pare/storage'

import type { EngineProgress, StartMessage } from './engine/protocol.js'
import type { TimeLimit } from './engine-failure.js'
import type { Engine } from './engine-pool.js'
import type { EngineEnd } from './engine-process.js'
import { watchMemory } from './memory-watch.js'
import type { EngineFolder } from './work-folders.js'
import type { WorkerSettings } from './worker-deps.js'

/**
 * Private copies, each checked against its hash. They are numbered: a role may have what file names have
 * not (`decisions/2/1-prune_weights`).
 */
export function fetchInputs(
  store: BlobStore,
  claim: ClaimedStage,
  folder: EngineFolder,
): Promise<StartMessage['inputs']> {
  return Promise.all(
    claim.inputs.map(async ({ role, sha256 }, at) => {
      const path = join(folder.inputs, String(at))
      await store.copyToFile(sha256, path)
      return { role, path, sha256 }
    }),
  )
}

/** The job's remaining time or the worker's limit for such a stage, whichever ends first. */
export function timeLimitOf(
  { stage, runTimeLeftMs }: ClaimedStage,
  settings: Pick<WorkerSettings, 'stageTimeoutMs' | 'inspectTimeoutMs'>,
): TimeLimit {
  const isInspection = stage.jobId === null
  const ms = isInspection ? settings.inspectTimeoutMs : settings.stageTimeoutMs
  if (runTimeLeftMs === null || runTimeLeftMs > ms) return { ms, isOfJob: false }
  return { ms: Math.max(0, runTimeLeftMs), isOfJob: true }
}

export interface EngineRun {
  readonly engine: Engine
  readonly claim: ClaimedStage
  readonly inputs: StartMessage['inputs']
  readonly limit: TimeLimit
  readonly settings: WorkerSettings
  readonly onProgress: (progress: EngineProgress) => void
}

/** Resolves when the engine process is gone. */
export async function runInEngine(run: EngineRun): Promise<EngineEnd> {
  const { settings } = run
  const { process: engine, folder } = run.engine
  const timer = setTimeout(() => engine.kill('timeout'), run.limit.ms)
  const memory = watchMemory(engine.pid ?? 0, settings.memoryLimitBytes, () => {
    engine.kill('memory')
  })
  const { kind, params, seed, device } = run.claim.stage
  try {
    return await engine.run(
      {
        type: 'start',
        ...{ kind, seed, device, inputs: run.inputs },
        params: params,
        workDir: folder.work,
        threads: settings.threads,
        maxOnnxBytes: settings.maxOnnxBytes,
      },
      run.onProgress,
    )
  } finally {
    clearTimeout(timer)
    memory.stop()
  }
}
