// Sends the deliveries that are due. Rows say what to send and when; this only keeps enough attempts
// under way, records each, and never lets a slow endpoint hold up the others.
import {
  claimDueDeliveries,
  type DueDelivery,
  type Pool,
  recordAttempt,
  withTransaction,
} from '@pare/database'
import { coerceError } from '@pare/errors'
import type { Logger, Metrics } from '@pare/observability'
import { decideOutcome, sendWebhook, type SendWebhookResult } from '@pare/webhooks'

import { Repeated } from './repeat.js'

const MAX_UNDER_WAY = 32
const PER_ENDPOINT = 4
const POLL_MS = 1000
/** Longer than an attempt can take; a sender that died lets go of its deliveries after that. */
const LEASE_MS = 60_000

export interface WebhookSenderOptions {
  readonly pool: Pool
  readonly logger: Logger
  readonly metrics: Metrics
  /** Address ranges opened for local use. */
  readonly allowCidrs: readonly string[]
}

export class WebhookSender {
  readonly #options: WebhookSenderOptions
  readonly #underWay = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  readonly #loop: Repeated

  constructor(options: WebhookSenderOptions) {
    this.#options = options
    this.#loop = new Repeated({
      everyMs: POLL_MS,
      run: () => this.#sendDue(),
      onError: (error) => options.logger.warn({ error }, 'webhooks not looked up'),
    })
  }

  /** Something happened that endpoints may want to hear. */
  wake(): void {
    this.#loop.wake()
  }

  /** Attempts under way are given up unrecorded: whoever comes next makes them again. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    this.#stopped.abort()
    await Promise.all(this.#underWay)
  }

  async #sendDue(): Promise<void> {
    const limit = MAX_UNDER_WAY - this.#underWay.size
    if (limit <= 0) return
    const due = await claimDueDeliveries(this.#options.pool, {
      limit,
      leaseMs: LEASE_MS,
      perEndpoint: PER_ENDPOINT,
    })
    for (const delivery of due) {
      const attempt = this.#attempt(delivery)
      this.#underWay.add(attempt)
      void attempt.then(() => {
        this.#underWay.delete(attempt)
        this.#loop.wake()
      })
    }
  }

  async #attempt(due: DueDelivery): Promise<void> {
    const { pool, logger, metrics, allowCidrs } = this.#options
    const startedAt = new Date()
    try {
      const answer = await sendWebhook({
        ...{ url: due.url, secrets: due.secrets, allowCidrs, signal: this.#stopped.signal },
        ...{ id: due.messageId, timestamp: Math.floor(startedAt.getTime() / 1000), body: due.body },
      })
      if (this.#stopped.signal.aborted && answer.status === null) return
      const outcome = decideOutcome(answer, {
        scheduleStep: due.scheduleStep,
        failingForMs: due.failingForMs,
        random: Math.random(),
      })
      const { durationMs } = answer
      metrics.webhookDeliveries.inc({ outcome: outcome.result })
      metrics.webhookSeconds.observe({ outcome: outcome.result }, durationMs / 1000)
      logger.info(logFields(due, answer, outcome.result), 'webhook attempted')
      const { deliveryId, token } = due
      await withTransaction(pool, (tx) =>
        recordAttempt(tx, { ...answer, deliveryId, token, startedAt, outcome }),
      )
    } catch (error) {
      // Its lease runs out, and then it is due again.
      const { deliveryId } = due
      logger.error({ deliveryId, error: coerceError(error) }, 'webhook attempt not recorded')
    }
  }
}

function logFields(due: DueDelivery, answer: SendWebhookResult, outcome: string): object {
  const { deliveryId, messageId, type, attempt } = due
  const { status, error, durationMs } = answer
  return { deliveryId, messageId, type, attempt, outcome, status, failure: error, durationMs }
}
