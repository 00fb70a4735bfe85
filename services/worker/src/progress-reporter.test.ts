import { expect, it } from 'vitest'

import type { EngineProgress } from './engine/protocol.js'
import { ProgressReporter } from './progress-reporter.js'

const progress = (done: number): EngineProgress => ({
  type: 'progress',
  done,
  total: 10,
  unit: 'samples',
})

it('writes one at a time, and of what came meanwhile only the newest', async () => {
  const written: number[] = []
  let release: () => void = () => undefined
  const twoWritten = new Promise<void>((resolve) => {
    const reporter = new ProgressReporter(
      async ({ done }) => {
        written.push(done)
        if (written.length === 1) await new Promise<void>((go) => (release = go))
        else resolve()
      },
      () => undefined,
    )
    for (const done of [1, 2, 3, 4]) reporter.report(progress(done))
  })
  expect(written).toEqual([1])
  release()
  await twoWritten
  expect(written).toEqual([1, 4])
})

it('writes nothing after it was closed, and does not wait for its pause', async () => {
  const written: number[] = []
  const reporter = new ProgressReporter(
    ({ done }) => {
      written.push(done)
      return Promise.resolve()
    },
    () => undefined,
  )
  reporter.report(progress(1))
  reporter.report(progress(2))
  await reporter.close()
  reporter.report(progress(3))
  expect(written).toEqual([1])
})

it('goes on after a write that failed', async () => {
  const failed: string[] = []
  const reporter = new ProgressReporter(
    () => Promise.reject(new Error('away')),
    ({ message }) => failed.push(message),
  )
  reporter.report(progress(1))
  await reporter.close()
  expect(failed).toEqual(['away'])
})
