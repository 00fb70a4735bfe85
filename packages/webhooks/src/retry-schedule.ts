/**
 * What follows from the answer of an endpoint: done, try again later, or give up. The schedule is
 * the one of Standard Webhooks 1.0.0: ten attempts in three days.
 */
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Pause before each attempt; the first is made at once. 75 h 35 min in total. */
export const RETRY_DELAYS_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

/** Jitter lengthens a pause by up to this share, so that endpoints are not called in step. */
const JITTER = 0.1

/** The longest pause that a `Retry-After` can ask for. */
const MAX_RETRY_AFTER_MS = 24 * HOUR

/** Endpoints that failed this long without a success are closed. */
const DISABLE_AFTER_MS = 120 * HOUR

const GONE = 410
/** Answers that mean "too much at present", whose Retry-After is honoured. */
const THROTTLED = new Set([429, 502, 503, 504])

export interface AttemptAnswer {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null
  /** Pause that the endpoint asked for. */
  readonly retryAfterMs: number | null
}

export interface RetryState {
  /** 0 for the first attempt, and again for the first after a replay. */
  readonly scheduleStep: number
  /** A number in [0, 1) for the jitter. */
  readonly random: number
  /** How long the endpoint has been failing without a success. */
  readonly failingForMs?: number
}

export type Outcome =
  | { readonly result: 'succeeded' }
  | { readonly result: 'retry'; readonly delayMs: number }
  | { readonly result: 'failed'; readonly disableEndpoint?: string }

/**
 * Rules, in order: 2xx is success; 410 closes the endpoint; everything else, 3xx included (a
 * redirect is never followed), is a failure that is tried again until the schedule ends.
 */
export function decideOutcome(answer: AttemptAnswer, state: RetryState): Outcome {
  const { status, retryAfterMs } = answer
  if (status !== null && status >= 200 && status < 300) return { result: 'succeeded' }
  if (status === GONE) {
    return { result: 'failed', disableEndpoint: 'the endpoint answered 410 Gone' }
  }
  if ((state.failingForMs ?? 0) >= DISABLE_AFTER_MS) {
    const hours = Math.floor(DISABLE_AFTER_MS / HOUR)
    return { result: 'failed', disableEndpoint: `no delivery succeeded for ${hours} hours` }
  }
  const pause = RETRY_DELAYS_MS[state.scheduleStep + 1]
  if (pause === undefined) return { result: 'failed' }
  const delayMs = Math.round(pause * (1 + JITTER * state.random))
  const isThrottled = status !== null && THROTTLED.has(status)
  const asked = isThrottled ? Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) : 0
  return { result: 'retry', delayMs: Math.max(delayMs, asked) }
}

/** `Retry-After` as milliseconds from `nowMs`: seconds or an HTTP date (RFC 9110, 10.2.3). */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null
  const text = value.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * SECOND
  // Only dates with a weekday: Date.parse would also read "-1" or "2020" as dates.
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs)
}
