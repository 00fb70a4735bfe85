import type { InferenceSession } from '@pare/inference'
import { describe, expect, it } from 'vitest'

import { measureLatency, measureLatencyApart } from './measure-latency.js'
import { planRounds } from './plan-rounds.js'

/** A clock that runs only while a session does, and a log of who ran. */
function simulate(timesMs: { readonly original: number; readonly result: number }) {
  let now = 0
  const log: string[] = []
  const session = (name: 'original' | 'result'): InferenceSession => ({
    inputs: [],
    outputs: [],
    run: () => {
      log.push(name)
      // The machine slows down steadily: later runs take longer, by the same factor for both.
      now += timesMs[name] * (1 + log.length / 100)
      return Promise.resolve({})
    },
    endProfiling: () => undefined,
    release: () => Promise.resolve(),
  })
  const sessions = { original: session('original'), result: session('result') }
  return { sessions, log, clock: () => now }
}

describe('measureLatency', () => {
  it('alternates blocks and who goes first', async () => {
    const { sessions, log, clock } = simulate({ original: 30, result: 10 })
    const options = { clock, budgetMs: 100, minRounds: 3, maxRounds: 3, warmUpRuns: 1 }
    const { rounds, runs_per_block } = await measureLatency(sessions, {}, options)
    expect([rounds, runs_per_block]).toEqual([3, 1])
    expect(log.slice(2).join(' ')).toBe('original result result original original result')
  })

  it('finds the ratio on a machine that slows down while it measures', async () => {
    const { sessions, clock } = simulate({ original: 30, result: 10 })
    const report = await measureLatency(sessions, {}, { clock, budgetMs: 2000 })
    expect(report.speedup).toBeGreaterThan(2.9)
    expect(report.speedup).toBeLessThan(3.1)
    expect(report.speedup_interval.low).toBeLessThanOrEqual(report.speedup)
    expect(report.speedup_interval.high).toBeGreaterThanOrEqual(report.speedup)
    expect(report.original.runs).toBe(report.rounds * report.runs_per_block)
    expect(report.result.p50_ms).toBeLessThanOrEqual(report.result.p95_ms)
  })
})

describe('measureLatencyApart', () => {
  it('has one model open at a time, and runs both alike', async () => {
    const { sessions, log, clock } = simulate({ original: 30, result: 10 })
    const open = (name: 'original' | 'result') => () => {
      log.push(`open ${name}`)
      const release = () => {
        log.push(`close ${name}`)
        return Promise.resolve()
      }
      return Promise.resolve({ ...sessions[name], release })
    }
    const options = { clock, budgetMs: 100, minRounds: 3, maxRounds: 3, warmUpRuns: 2 }
    const models = { original: open('original'), result: open('result') }
    const report = await measureLatencyApart(models, {}, options)
    const runs = (name: string) => Array.from({ length: 5 }, () => name)
    expect(log).toEqual([
      ...['open original', ...runs('original'), 'close original'],
      ...['open result', ...runs('result'), 'close result'],
    ])
    expect(report).toMatchObject({ rounds: 3, runs_per_block: 1 })
    expect(report.original.runs).toBe(3)
    expect(report.speedup).toBeGreaterThan(2.5)
    expect(report.speedup).toBeLessThan(3.1)
  })

  it('closes a model that fails', async () => {
    let closed = 0
    const failing = (): Promise<InferenceSession> =>
      Promise.resolve({
        ...{ inputs: [], outputs: [], endProfiling: () => undefined },
        run: () => Promise.reject(new Error('no')),
        release: () => {
          closed += 1
          return Promise.resolve()
        },
      })
    const models = { original: failing, result: failing }
    await expect(measureLatencyApart(models, {})).rejects.toThrow('no')
    expect(closed).toBe(1)
  })
})

describe('planRounds', () => {
  const limits = { budgetMs: 1000, minRounds: 7, maxRounds: 200 }

  it('runs short models in longer blocks and long models once', () => {
    expect(planRounds(2, limits).runsPerBlock).toBe(10)
    expect(planRounds(500, limits).runsPerBlock).toBe(1)
    expect(planRounds(0, limits).runsPerBlock).toBe(50)
  })

  it('keeps to the budget, within the limits of rounds', () => {
    expect(planRounds(20, limits).rounds).toBe(50)
    expect(planRounds(5000, limits).rounds).toBe(7)
    expect(planRounds(0.001, limits).rounds).toBe(200)
  })
})
