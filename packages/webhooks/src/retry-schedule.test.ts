import { describe, expect, it } from 'vitest'

import { decideOutcome, parseRetryAfter, RETRY_DELAYS_MS } from './retry-schedule.js'

const HOUR = 3_600_000
const failed = { status: 500, retryAfterMs: null }

describe('the schedule', () => {
  it('has ten attempts within 75 hours and 35 minutes', () => {
    expect(RETRY_DELAYS_MS).toHaveLength(10)
    const total = RETRY_DELAYS_MS.reduce((sum, delay) => sum + delay, 0)
    expect(total).toBe(75 * HOUR + 35 * 60_000 + 5_000)
  })

  it('is walked step by step and ends in failure', () => {
    const outcomes = RETRY_DELAYS_MS.map((_, scheduleStep) =>
      decideOutcome(failed, { scheduleStep, random: 0 }),
    )
    expect(outcomes.slice(0, 9)).toEqual(
      RETRY_DELAYS_MS.slice(1).map((delayMs) => ({ result: 'retry', delayMs })),
    )
    expect(outcomes[9]).toEqual({ result: 'failed' })
  })

  it('lengthens a pause by the given jitter only', () => {
    const pause = (random: number) => decideOutcome(failed, { scheduleStep: 2, random })
    expect(pause(0)).toEqual({ result: 'retry', delayMs: 1_800_000 })
    expect(pause(0.5)).toEqual({ result: 'retry', delayMs: 1_890_000 })
  })
})

describe('the outcome of an attempt', () => {
  const first = { scheduleStep: 0, random: 0 }
  const after = (status: number | null, retryAfterMs: number | null = null) =>
    decideOutcome({ status, retryAfterMs }, first)

  it('is success for 2xx only', () => {
    for (const status of [200, 201, 202, 204, 299]) {
      expect(after(status)).toEqual({ result: 'succeeded' })
    }
    for (const status of [null, 100, 199, 300, 301, 302, 304, 308, 400, 404, 429, 500, 503]) {
      expect(after(status)).toEqual({ result: 'retry', delayMs: 5_000 })
    }
  })

  it('closes the endpoint on 410, even at the last step', () => {
    const outcome = decideOutcome(
      { status: 410, retryAfterMs: null },
      { scheduleStep: 9, random: 0 },
    )
    expect(outcome).toMatchObject({
      result: 'failed',
      disableEndpoint: 'the endpoint answered 410 Gone',
    })
  })

  it('closes the endpoint after five days without a success', () => {
    const state = { ...first, failingForMs: 120 * HOUR }
    expect(decideOutcome(failed, state)).toMatchObject({
      result: 'failed',
      disableEndpoint: 'no delivery succeeded for 120 hours',
    })
    expect(decideOutcome({ status: 200, retryAfterMs: null }, state)).toEqual({
      result: 'succeeded',
    })
    expect(decideOutcome(failed, { ...state, failingForMs: 119 * HOUR })).toMatchObject({
      result: 'retry',
    })
  })

  it('waits as long as a throttling endpoint asks, but never shorter than planned or over a day', () => {
    for (const status of [429, 502, 503, 504]) {
      expect(after(status, 60_000)).toEqual({ result: 'retry', delayMs: 60_000 })
    }
    expect(after(429, 1_000)).toEqual({ result: 'retry', delayMs: 5_000 })
    expect(after(429, 1_000 * HOUR)).toEqual({ result: 'retry', delayMs: 24 * HOUR })
    expect(after(500, 60_000)).toEqual({ result: 'retry', delayMs: 5_000 })
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-11-23T04:00:00Z')

  it('is seconds or a date', () => {
    expect(parseRetryAfter('120', now)).toBe(120_000)
    expect(parseRetryAfter('Mon, 23 Nov 2026 04:01:00 GMT', now)).toBe(60_000)
    expect(parseRetryAfter('Mon, 23 Nov 2026 03:00:00 GMT', now)).toBe(0)
  })

  it.each([undefined, '', 'soon', '-5', '1.5', '2020-01-01', '9'.repeat(30)])(
    '%j is nothing',
    (value) => {
      expect(parseRetryAfter(value, now)).toBeNull()
    },
  )
})
