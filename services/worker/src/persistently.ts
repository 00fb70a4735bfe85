import { setTimeout as sleep } from 'node:timers/promises'

import { CodedError, coerceError } from '@pare/errors'

export interface PersistOptions {
  readonly forMs: number
  readonly onRetry: (error: Error) => void
}

/**
 * Repeats what fails for want of the database. An error with a code is an answer and is thrown at
 * once; anything else (a lost connection, a restarting server) is tried again until `forMs` are over.
 */
export async function persistently<Value>(
  attempt: () => Promise<Value>,
  { forMs, onRetry }: PersistOptions,
): Promise<Value> {
  const giveUpAt = performance.now() + forMs
  for (let pauseMs = 100; ; pauseMs = Math.min(2000, pauseMs * 2)) {
    try {
      return await attempt()
    } catch (thrown) {
      const error = coerceError(thrown)
      if (error instanceof CodedError || performance.now() + pauseMs > giveUpAt) throw error
      onRetry(error)
      await sleep(pauseMs)
    }
  }
}
