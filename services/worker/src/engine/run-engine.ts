// The life of an engine process: say that it is ready, take one order, do it, tell, wait for the end.
import { Worker } from 'node:worker_threads'

import type { StageResult } from '@pare/compression'
import type { StageOrder } from '@pare/compression/stages'
import { CodedError, coerceError } from '@pare/errors'
import { availableDevices, type InferenceRuntime, withSessionDefaults } from '@pare/inference'

import { workerErrors } from '../errors.js'
import { type FromEngine, isToEngine, type StartMessage, toFailure } from './protocol.js'
import { sourceStack } from './source-stack.js'

export interface EngineDeps {
  /** @throws stage_kind_unknown, and what the stage throws */
  readonly runStage: (kind: string, order: StageOrder) => Promise<StageResult>
  readonly runtime: InferenceRuntime
}

/** Reports more often than this add nothing that a person can see. */
const PROGRESS_INTERVAL_MS = 100

/**
 * Serves exactly one order from the worker whose pid is the first argument of the process. It never
 * ends by itself: the worker kills it when it has heard enough.
 */
export function runEngine(deps: EngineDeps): void {
  dieWithParent()
  process.once('message', (message: unknown) => {
    void serve(deps, message).then(send)
  })
  send({ type: 'ready' })
}

function dieWithParent(): void {
  const parentPid = Number(process.argv[2])
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  const watch = new Worker(new URL('./parent-watch.js', import.meta.url), {
    workerData: { parentPid },
    // Little memory of its own, beside a process whose memory is counted.
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  })
  watch.unref()
}

async function serve(deps: EngineDeps, message: unknown): Promise<FromEngine> {
  try {
    if (!isToEngine(message)) throw new Error('the worker sent a message of unknown form')
    if (message.type === 'start') return await runStage(deps, message)
    return { type: 'probed', devices: [...(await availableDevices(deps.runtime))] }
  } catch (thrown) {
    return { type: 'failed', error: toFailure(asCoded(thrown)) }
  }
}

async function runStage(deps: EngineDeps, start: StartMessage): Promise<FromEngine> {
  const { kind, inputs, params, seed, workDir, threads, device, maxOnnxBytes } = start
  const { outputs, metrics, failure } = await deps.runStage(kind, {
    ...{ inputs, params, seed, workDir, threads, device },
    ...(maxOnnxBytes === undefined ? {} : { maxOnnxBytes }),
    runtime: withSessionDefaults(deps.runtime, { externalDataFolder: workDir }),
    onProgress: progressReporter(),
  })
  return {
    type: 'result',
    outputs: outputs.map(({ role, path, mediaType }) => ({ role, path, mediaType })),
    metrics,
    ...(failure === undefined ? {} : { failure }),
  }
}

function progressReporter(): StageOrder['onProgress'] {
  let nextAt = 0
  return ({ done, total, unit, message }) => {
    const now = performance.now()
    if (now < nextAt && done < total) return
    nextAt = now + PROGRESS_INTERVAL_MS
    send({ type: 'progress', done, total, unit, ...(message === undefined ? {} : { message }) })
  }
}

function send(message: FromEngine): void {
  process.send?.(message)
}

/** A fault without a code is ours; its text may name host paths, so it goes to stderr only. */
function asCoded(thrown: unknown): CodedError {
  if (thrown instanceof CodedError) return thrown
  const error = coerceError(thrown)
  process.stderr.write(`${sourceStack(error.stack ?? error.message)}\n`)
  return workerErrors.stage_failed_unexpectedly('the stage ended with an unexpected error', {
    details: { error: error.name },
  })
}
