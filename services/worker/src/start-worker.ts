// A worker: answers the doorbell, and keeps the loops that notice what nobody tells.
import { setTimeout as sleep } from 'node:timers/promises'

import {
  announceWorker,
  CANCEL_CHANNEL,
  dismissWorker,
  EVENTS_CHANNEL,
  listen,
  type Listener,
  type Pool,
  purgeIdempotency,
  reconcile,
} from '@pare/database'
import type { Logger } from '@pare/observability'
import type { Listener as BellListener } from '@pare/queue'
import type { Device } from '@pare/recipe'

import { checkDevices } from './check-devices.js'
import { EnginePool } from './engine-pool.js'
import { workerErrors } from './errors.js'
import { Repeated } from './repeat.js'
import { ringAll } from './ring.js'
import { StageDesk } from './stage-desk.js'
import { WebhookSender } from './webhook-sender.js'
import { WorkFolders } from './work-folders.js'
import type { WorkerDeps, WorkerSettings } from './worker-deps.js'

export interface RunningWorker {
  readonly id: string
  /** What stages on this worker may use; only what a run has shown to work. */
  readonly devices: readonly Device[]
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
  const devices = await usableDevices({ engines, logger }, settings.devices).catch(
    async (error: unknown) => {
      await engines.close()
      await folders.close()
      throw error
    },
  )
  engines.warm()
  const desk = new StageDesk({ ...deps, logger, engines, settings })
  const loops = startLoops({ ...deps, logger }, { ...settings, devices })
  const notices = await listenForNotices({ ...deps, logger }, desk, loops)
  const { concurrency } = settings
  const bells = await Promise.all(
    devices.map((device) =>
      deps.doorbell.listen((ring) => desk.answer(ring, device), { concurrency, device }),
    ),
  )
  logger.info({ devices, concurrency }, 'worker started')
  const parts = { engines, folders, desk, loops, notices, bells, settings, pool: deps.pool }
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

async function usableDevices(
  { engines, logger }: { readonly engines: EnginePool; readonly logger: Logger },
  wanted: readonly Device[],
): Promise<readonly Device[]> {
  const devices = await checkDevices(engines, wanted)
  if (devices.length === 0) {
    throw workerErrors.devices_unusable(`no model runs on ${wanted.join(', ')} of this machine`)
  }
  if (devices.length < wanted.length) logger.warn({ wanted, devices }, 'not all devices are usable')
  return devices
}

interface Loops {
  readonly announcing: Repeated
  readonly reconciling: Repeated
  readonly purging: Repeated
  readonly webhooks: WebhookSender
}

function startLoops(deps: WorkerDeps, settings: WorkerSettings): Loops {
  const { workerId: id, devices, leaseMs } = settings
  return {
    announcing: new Repeated({
      everyMs: leaseMs / 2,
      run: () => announceWorker(deps.pool, { id, devices, forMs: 3 * leaseMs }),
      onError: (error) => deps.logger.warn({ error }, 'announcing failed'),
    }),
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
  readonly bells: readonly BellListener[]
  readonly pool: Pool
  readonly settings: WorkerSettings
}

async function stopParts(parts: WorkerParts): Promise<void> {
  const { engines, folders, desk, loops, notices, bells, settings, pool } = parts
  desk.close()
  const drained = Promise.all(bells.map((bell) => bell.close()))
  await Promise.race([drained, sleep(settings.drainMs, undefined, { ref: false })])
  const { announcing, reconciling, purging, webhooks } = loops
  await Promise.all([announcing, reconciling, purging, webhooks].map((loop) => loop.stop()))
  // Without a word it would be forgotten some seconds later.
  await dismissWorker(pool, settings.workerId).catch(() => undefined)
  await notices.close()
  await engines.close()
  await folders.close()
}
