// A worker: answers the doorbell, and keeps the loops that notice what nobody tells.
import { setTimeout as sleep } from 'node:timers/promises'

import {
  CANCEL_CHANNEL,
  EVENTS_CHANNEL,
  listen,
  type Listener,
  purgeIdempotency,
  reconcile,
} from '@pare/database'
import type { Listener as BellListener } from '@pare/queue'

import { checkDevice } from './check-device.js'
import { EnginePool } from './engine-pool.js'
import { Repeated } from './repeat.js'
import { ringAll } from './ring.js'
import { StageDesk } from './stage-desk.js'
import { WebhookSender } from './webhook-sender.js'
import { WorkFolders } from './work-folders.js'
import type { WorkerDeps, WorkerSettings } from './worker-deps.js'

export interface RunningWorker {
  readonly id: string
  /** What stages on this worker may use; only what a run has shown to work. */
  readonly devices: readonly string[]
  /** Stages under way. */
  readonly runningCount: number
  /**
   * Takes nothing more, kills the running engines and hands their stages back without charging the
   * attempt. Pool, store and doorbell stay open: whoever made them closes them.
   */
  stop(): Promise<void>
}

/** Resolves when the worker listens. */
export async function startWorker(
  deps: WorkerDeps,
  settings: WorkerSettings,
): Promise<RunningWorker> {
  const logger = deps.logger.child({ workerId: settings.workerId })
  const folders = await WorkFolders.open(settings.workRoot)
  const engines = new EnginePool({
    folders,
    enginePath: settings.enginePath,
    libraryPath: settings.libraryPath,
    onSpareLost: (error) => logger.error({ error }, 'spare engine lost'),
  })
  const devices = await checkDevice(engines, settings.device)
  const device = devices.includes(settings.device) ? settings.device : 'cpu'
  if (device !== settings.device) {
    logger.warn({ wanted: settings.device, devices }, 'device not usable, the CPU is used')
  }
  engines.warm()
  const desk = new StageDesk({ ...deps, logger, engines, settings: { ...settings, device } })
  const loops = startLoops({ ...deps, logger }, settings)
  const notices = await listenForNotices({ ...deps, logger }, desk, loops)
  const bell = await deps.doorbell.listen((ring) => desk.answer(ring), settings)
  logger.info({ devices, concurrency: settings.concurrency }, 'worker started')
  const parts = { engines, folders, desk, loops, notices, bell, settings }
  let stopping: Promise<void> | undefined
  return {
    id: settings.workerId,
    devices,
    get runningCount() {
      return desk.runningCount
    },
    stop: () => (stopping ??= stopParts(parts)),
  }
}

/** How often keys of requests that may no longer be repeated are deleted. */
const PURGE_MS = 10 * 60 * 1000

interface Loops {
  readonly reconciling: Repeated
  readonly purging: Repeated
  readonly webhooks: WebhookSender
}

function startLoops(deps: WorkerDeps, settings: WorkerSettings): Loops {
  return {
    reconciling: new Repeated({
      everyMs: settings.reconcileMs,
      async run() {
        const { ready, lostStages, endedJobs } = await reconcile(deps.pool, {
          ringAgainMs: settings.ringAgainMs,
        })
        if (lostStages + endedJobs > 0) deps.logger.warn({ lostStages, endedJobs }, 'reconciled')
        await ringAll(deps, ready, { again: true })
        deps.metrics.queueWaiting.set(await deps.doorbell.countWaiting())
      },
      onError: (error) => deps.logger.warn({ error }, 'reconciling failed'),
    }),
    purging: new Repeated({
      everyMs: PURGE_MS,
      run: () => purgeIdempotency(deps.pool),
      onError: (error) => deps.logger.warn({ error }, 'purging idempotency keys failed'),
    }),
    webhooks: new WebhookSender({ ...deps, allowCidrs: settings.webhookAllowCidrs }),
  }
}

function listenForNotices(deps: WorkerDeps, desk: StageDesk, loops: Loops): Promise<Listener> {
  const onError = (error: Error): void => {
    deps.logger.warn({ error }, 'notifications interrupted')
  }
  return listen({
    connectionString: deps.databaseUrl,
    channels: [CANCEL_CHANNEL, EVENTS_CHANNEL],
    onNotification(channel, payload) {
      if (channel === EVENTS_CHANNEL) loops.webhooks.wake()
      if (channel !== CANCEL_CHANNEL) return
      const { stage } = JSON.parse(payload) as { readonly stage?: string }
      if (stage !== undefined) desk.check(stage).catch(onError)
    },
    onConnect() {
      desk.checkAll().catch(onError)
      loops.reconciling.wake()
      loops.webhooks.wake()
    },
    onError,
  })
}

interface WorkerParts {
  readonly engines: EnginePool
  readonly folders: WorkFolders
  readonly desk: StageDesk
  readonly loops: Loops
  readonly notices: Listener
  readonly bell: BellListener
  readonly settings: WorkerSettings
}

async function stopParts(parts: WorkerParts): Promise<void> {
  const { engines, folders, desk, loops, notices, bell, settings } = parts
  desk.close()
  const drained = bell.close()
  await Promise.race([drained, sleep(settings.drainMs, undefined, { ref: false })])
  await Promise.all([loops.reconciling.stop(), loops.purging.stop(), loops.webhooks.stop()])
  await notices.close()
  await engines.close()
  await folders.close()
}
