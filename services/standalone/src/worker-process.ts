// The worker in a process of its own: starting engines and moving blobs must not hold up answers.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { WORKER_PATH } from '@pare/worker'

export interface WorkerProcess {
  /** Lets it hand its stages back, and waits until it is gone. */
  readonly close: () => Promise<void>
}

/** A worker that died is replaced after this long; its stages go on where its leases end. */
const RESTART_DELAY_MS = 1000
/** It stops by itself within seconds; what holds it up longer is not waited for. */
const STOP_LIMIT_MS = 5000

/**
 * Starts the worker and resolves when it takes stages; one that ends later is started again.
 * Throws when it does not get that far.
 */
export async function startWorkerProcess(
  environment: Readonly<Record<string, string>>,
): Promise<WorkerProcess> {
  let isStopping = false
  let current = startChild(environment)
  const replaceWhenLost = (child: ChildProcess): void => {
    child.once('exit', () => {
      if (isStopping) return
      void sleep(RESTART_DELAY_MS).then(() => {
        if (isStopping) return
        current = startChild(environment)
        replaceWhenLost(current)
      })
    })
  }
  await untilReady(current)
  replaceWhenLost(current)
  return {
    close: async () => {
      isStopping = true
      await end(current)
    },
  }
}

/** Its log goes where ours goes; when we are gone, so is it, by the closed channel. */
function startChild(environment: Readonly<Record<string, string>>): ChildProcess {
  return fork(WORKER_PATH, [], {
    env: { ...environment },
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

async function untilReady(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('the worker process ended before it took stages; its log says why')
  })
  await Promise.race([once(child, 'message'), ended])
  ended.catch(() => undefined)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  await exited
  clearTimeout(timer)
}
