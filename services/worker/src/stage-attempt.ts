// One attempt at one stage, from the claim to the commit of its end:
//
//   inputs from the store ─► engine process ─► outputs into the store ─► complete | fail
//        │ heartbeat: extends the lease; learns that a cancel is wanted or that another has the stage
//        └ stop(reason): what is going on ends, and the reason decides how the attempt ends
import { growPlan } from '@pare/compression'
import {
  checkStage,
  type ClaimedStage,
  completeStage,
  confirmCanceled,
  type Doorbell as ReadyStage,
  failStage,
  type Heartbeat,
  heartbeatStage,
  releaseStage,
  reportProgress,
  type StageEnd,
  type StageFailure,
  type Tx,
  withTransaction,
} from '@pare/database'
import { assertNever, CodedError, coerceError } from '@pare/errors'
import type { EngineKillReason, Logger } from '@pare/observability'

import { collectOutputs } from './collect-outputs.js'
import type { EngineResult } from './engine/protocol.js'
import { crashFailure, memoryFailure, type TimeLimit, timeoutFailure } from './engine-failure.js'
import type { Engine, EnginePool } from './engine-pool.js'
import type { EngineCrash, EngineEnd } from './engine-process.js'
import { fetchInputs, runInEngine, timeLimitOf } from './engine-run.js'
import { workerErrors } from './errors.js'
import { persistently } from './persistently.js'
import { ProgressReporter } from './progress-reporter.js'
import { storableText, toStorableJson } from './storable-json.js'
import type { WorkerDeps, WorkerSettings } from './worker-deps.js'

export interface AttemptDeps extends WorkerDeps {
  readonly engines: EnginePool
  readonly settings: WorkerSettings
}

/**
 * `requeued`: handed back, or to be tried again. `dropped`: another attempt has the stage, or it was
 * ended from outside.
 */
export type AttemptOutcome = 'succeeded' | 'failed' | 'canceled' | 'requeued' | 'dropped'

export interface AttemptEnd {
  readonly outcome: AttemptOutcome
  /** Ring these. */
  readonly ready: readonly ReadyStage[]
}

const DROPPED: AttemptEnd = { outcome: 'dropped', ready: [] }

export class StageAttempt {
  readonly #deps: AttemptDeps
  readonly #claim: ClaimedStage
  readonly #limit: TimeLimit
  readonly #log: Logger
  readonly #progress: ProgressReporter
  #stopReason: EngineKillReason | undefined
  #engine: Engine | undefined
  #isBeating = false

  constructor(deps: AttemptDeps, claim: ClaimedStage, log: Logger) {
    this.#deps = deps
    this.#claim = claim
    this.#limit = timeLimitOf(claim, deps.settings)
    this.#log = log
    this.#progress = new ProgressReporter(
      async ({ done, total, unit, message }) => {
        const progress = { done, total, unit, ...(message === undefined ? {} : { message }) }
        this.#heed(
          await withTransaction(deps.pool, (tx) => reportProgress(tx, { ...claim, progress })),
        )
      },
      (error) => this.#log.debug({ error }, 'progress not written'),
    )
  }

  get stageId(): string {
    return this.#claim.stageId
  }

  /** The first reason counts; an engine that has ended already keeps its result. */
  stop(reason: EngineKillReason): void {
    this.#stopReason ??= reason
    this.#engine?.process.kill(reason)
  }

  /** Asks the database whether the attempt is still wanted: when `pare_cancel` names the stage. */
  async check(): Promise<void> {
    this.#heed(await checkStage(this.#deps.pool, this.#claim))
  }

  async run(): Promise<AttemptEnd> {
    const heartbeat = setInterval(() => void this.#beat(), this.#deps.settings.heartbeatMs)
    try {
      return await this.#runEngine()
    } catch (thrown) {
      return await this.#endWithError(thrown)
    } finally {
      clearInterval(heartbeat)
      await this.#progress.close()
      if (this.#engine !== undefined) await this.#deps.engines.release(this.#engine)
    }
  }

  async #runEngine(): Promise<AttemptEnd> {
    const { engines, settings, store } = this.#deps
    const engine = await engines.take()
    this.#engine = engine
    const inputs = await fetchInputs(store, this.#claim, engine.folder)
    if (this.#stopReason !== undefined) return this.#endStopped(this.#stopReason)
    const end = await runInEngine({
      ...{ engine, inputs, settings, claim: this.#claim, limit: this.#limit },
      onProgress: (progress) => this.#progress.report(progress),
    })
    await this.#progress.close()
    return this.#endWith(end, engine)
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) return
    this.#isBeating = true
    const { pool, settings } = this.#deps
    try {
      this.#heed(await heartbeatStage(pool, { ...this.#claim, leaseMs: settings.leaseMs }))
    } catch (error) {
      this.#log.warn({ error: coerceError(error) }, 'heartbeat failed')
    } finally {
      this.#isBeating = false
    }
  }

  #heed({ isCurrent, isCancelRequested }: Heartbeat): void {
    if (!isCurrent) this.stop('superseded')
    else if (isCancelRequested) this.stop('canceled')
  }

  #endWith(end: EngineEnd, engine: Engine): Promise<AttemptEnd> {
    switch (end.end) {
      case 'result':
        return this.#endWithResult(end.result, engine)
      case 'failed':
        if (end.error.kind === 'internal') {
          this.#log.error({ stderr: end.stderr }, 'engine met an unexpected error')
        }
        return this.#fail({ error: end.error })
      case 'killed':
        return this.#endStopped(end.reason)
      case 'crashed':
        return this.#endCrashed(end.crash)
      case 'probed':
        throw new Error('an engine answered a stage as if it were a probe')
      default:
        return assertNever(end)
    }
  }

  async #endWithResult(result: EngineResult, engine: Engine): Promise<AttemptEnd> {
    const outputs = await collectOutputs(result.outputs, {
      store: this.#deps.store,
      workDir: engine.folder.work,
      maxBytes: this.#deps.settings.outputLimitBytes,
    })
    const metrics = toStorableJson(result.metrics)
    if (result.failure !== undefined) {
      return this.#fail({ error: result.failure, outputs, metrics, retryable: false })
    }
    return this.#commit((tx) => completeStage(tx, { ...this.#claim, outputs, metrics }, growPlan))
  }

  #endStopped(reason: EngineKillReason): Promise<AttemptEnd> {
    this.#deps.metrics.engineKills.inc({ reason })
    this.#log.info({ reason }, 'engine killed')
    switch (reason) {
      case 'timeout':
        return this.#fail(timeoutFailure(this.#claim, this.#limit))
      case 'memory':
        return this.#fail(memoryFailure(this.#claim, this.#deps.settings.memoryLimitBytes))
      case 'canceled':
        return this.#commit((tx) => confirmCanceled(tx, this.#claim))
      case 'drain':
        return this.#commit((tx) => releaseStage(tx, this.#claim))
      case 'superseded':
        return Promise.resolve(DROPPED)
      default:
        return assertNever(reason)
    }
  }

  #endCrashed(crash: EngineCrash): Promise<AttemptEnd> {
    this.#log.error({ crash }, 'engine crashed')
    return this.#fail(crashFailure(this.#claim, crash))
  }

  async #endWithError(thrown: unknown): Promise<AttemptEnd> {
    const error = coerceError(thrown)
    try {
      if (this.#stopReason !== undefined) return await this.#endStopped(this.#stopReason)
      this.#log.error({ error }, 'stage failed outside its engine')
      const coded =
        error instanceof CodedError
          ? error
          : workerErrors.stage_failed_unexpectedly('the worker met an unexpected error')
      return await this.#fail({ error: coded.toJSON() })
    } catch (second) {
      // The lease runs out, and the reconciler gives the stage to somebody else.
      this.#log.error({ error: coerceError(second) }, 'end of stage not written')
      return DROPPED
    }
  }

  #fail(failure: Omit<StageFailure, 'stageId' | 'token'>): Promise<AttemptEnd> {
    const details = toStorableJson(failure.error.details)
    const error = { ...failure.error, details, message: storableText(failure.error.message) }
    this.#log.info({ error }, 'stage failed')
    return this.#commit((tx) => failStage(tx, { ...this.#claim, ...failure, error }))
  }

  async #commit(end: (tx: Tx) => Promise<StageEnd>): Promise<AttemptEnd> {
    const { pool, settings } = this.#deps
    try {
      const { stage, ready } = await persistently(() => withTransaction(pool, end), {
        forMs: 3 * settings.leaseMs,
        onRetry: (error) => this.#log.warn({ error }, 'end of stage not written yet'),
      })
      return { outcome: stage.state === 'queued' ? 'requeued' : outcomeOf(stage.state), ready }
    } catch (error) {
      if (error instanceof CodedError && error.code === 'stage_token_stale') return DROPPED
      throw error
    }
  }
}

function outcomeOf(state: StageEnd['stage']['state']): AttemptOutcome {
  return state === 'succeeded' || state === 'failed' || state === 'canceled' ? state : 'dropped'
}
