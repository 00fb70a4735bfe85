import { coerceError } from '@pare/errors'

import type { EngineProgress } from './engine/protocol.js'

/** Engines report ten times a second; the database need not hear more than four. */
const INTERVAL_MS = 250

/** Writes the newest progress, one write at a time; what a newer one overtook is never written. */
export class ProgressReporter {
  readonly #write: (progress: EngineProgress) => Promise<void>
  readonly #onError: (error: Error) => void
  #newest: EngineProgress | undefined
  #writing: Promise<void> | undefined
  #isClosed = false
  #endPause: () => void = () => undefined

  constructor(write: (progress: EngineProgress) => Promise<void>, onError: (error: Error) => void) {
    this.#write = write
    this.#onError = onError
  }

  report(progress: EngineProgress): void {
    if (this.#isClosed) return
    this.#newest = progress
    this.#writing ??= this.#drain()
  }

  /** Drops what was not written yet, and waits for the write that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#newest = undefined
    this.#endPause()
    await this.#writing
  }

  async #drain(): Promise<void> {
    while (this.#newest !== undefined) {
      const progress = this.#newest
      this.#newest = undefined
      await this.#write(progress).catch((error: unknown) => this.#onError(coerceError(error)))
      if (!this.#isClosed) await this.#pause()
    }
    this.#writing = undefined
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, INTERVAL_MS)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
