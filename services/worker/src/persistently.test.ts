import { defineErrors } from '@pare/errors'
import { expect, it } from 'vitest'

import { persistently } from './persistently.js'

const errors = defineErrors({ test_stale: { kind: 'conflict', title: 'Stale.' } })

it('tries again when there was no answer, and gives the answer that comes', async () => {
  let calls = 0
  const retried: string[] = []
  const value = await persistently(
    () => (++calls < 3 ? Promise.reject(new Error(`lost ${calls}`)) : Promise.resolve('done')),
    { forMs: 60_000, onRetry: ({ message }) => retried.push(message) },
  )
  expect(value).toBe('done')
  expect(retried).toEqual(['lost 1', 'lost 2'])
})

it('takes an error with a code for an answer', async () => {
  let calls = 0
  const stale = persistently(
    () => {
      calls += 1
      return Promise.reject(errors.test_stale('another has it'))
    },
    { forMs: 60_000, onRetry: () => undefined },
  )
  await expect(stale).rejects.toMatchObject({ code: 'test_stale' })
  expect(calls).toBe(1)
})

it('gives up with the last error when the time is over', async () => {
  const lost = persistently(() => Promise.reject(new Error('lost')), {
    forMs: 0,
    onRetry: () => undefined,
  })
  await expect(lost).rejects.toThrow('lost')
})
