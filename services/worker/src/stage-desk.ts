// Answers the doorbell: claims the best stage there is, runs the attempt, rings for what it made ready.
import { growPlan } from '@pare/compression'
import { claimBestStage, type ClaimedStage } from '@pare/database'
import { assertNever, coerceError } from '@pare/errors'
import type { Logger } from '@pare/observability'
import type { StageRing } from '@pare/queue'
import type { Device } from '@pare/recipe'

import { ringAll } from './ring.js'
import { type AttemptDeps, type AttemptEnd, StageAttempt } from './stage-attempt.js'

export class StageDesk {
  readonly #deps: AttemptDeps
  readonly #running = new Map<string, StageAttempt>()
  #isClosing = false

  constructor(deps: AttemptDeps) {
    this.#deps = deps
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** The handler of a ring for a device; it resolves when the attempt has ended. */
  async answer(ring: StageRing, device: Device): Promise<void> {
    const { doorbell, pool, settings, logger } = this.#deps
    try {
      // Somebody else may hear it; if nobody does, the reconciler rings again.
      if (this.#isClosing) {
        await doorbell.ring(ring, { device, again: true })
        return
      }
      const outcome = await claimBestStage(pool, {
        stageId: ring.stageId,
        workerId: settings.workerId,
        leaseMs: settings.leaseMs,
        devices: [device],
        grow: growPlan,
      })
      switch (outcome.outcome) {
        case 'claimed': {
          await this.#attempt(outcome.claim)
          return
        }
        case 'cached': {
          await ringAll(this.#deps, outcome.ready)
          return
        }
        case 'early': {
          await doorbell.ring(ring, { device, delayMs: outcome.delayMs, again: true })
          return
        }
        case 'busy':
        case 'elsewhere':
        case 'gone':
          return
        default:
          return assertNever(outcome)
      }
    } catch (error) {
      logger.error({ ...ring, error: coerceError(error) }, 'ring not answered')
    }
  }

  /** `pare_cancel` named this stage: whoever runs it here looks. */
  async check(stageId: string): Promise<void> {
    await this.#running.get(stageId)?.check()
  }

  /** After a broken LISTEN anything may have been missed. */
  async checkAll(): Promise<void> {
    for (const attempt of this.#running.values()) await attempt.check()
  }

  /** Hands everything back that still runs. */
  close(): void {
    this.#isClosing = true
    for (const attempt of this.#running.values()) attempt.stop('drain')
  }

  async #attempt(claim: ClaimedStage): Promise<void> {
    const { metrics } = this.#deps
    const { stage, stageId } = claim
    const { kind, jobId, modelId, datasetId, name } = stage
    const log = this.#deps.logger.child({ stageId, jobId, kind })
    const attempt = new StageAttempt(this.#deps, claim, log)
    const start = performance.now()
    this.#noteStart(claim)
    log.info({ modelId, datasetId, stage: name, attempt: stage.attempt }, 'stage started')
    this.#running.set(stageId, attempt)
    metrics.stagesRunning.set(this.#running.size)
    if (this.#isClosing) attempt.stop('drain')
    const end = await attempt.run()
    this.#running.delete(stageId)
    metrics.stagesRunning.set(this.#running.size)
    this.#noteEnd(kind, end, { log, durationMs: performance.now() - start })
    await ringAll(this.#deps, end.ready)
  }

  #noteStart({ stage }: ClaimedStage): void {
    const { metrics } = this.#deps
    const { kind, startedAt, availableAt } = stage
    metrics.stagesStarted.inc({ kind })
    if (startedAt === null || availableAt === null) return
    const waitMs = Math.max(0, startedAt.getTime() - availableAt.getTime())
    metrics.stageWaitSeconds.observe({ kind }, waitMs / 1000)
  }

  #noteEnd(
    kind: string,
    { outcome }: AttemptEnd,
    { log, durationMs }: { readonly log: Logger; readonly durationMs: number },
  ): void {
    this.#deps.metrics.stagesFinished.inc({ kind, outcome })
    this.#deps.metrics.stageSeconds.observe({ kind, outcome }, durationMs / 1000)
    log.info({ outcome, durationMs: Math.round(durationMs) }, 'stage ended')
  }
}
