import { coerceError } from '@pare/errors'

export interface RepeatOptions {
  readonly everyMs: number
  readonly run: () => Promise<unknown>
  readonly onError: (error: Error) => void
}

/** Runs something now and again, never twice at once; a failed run does not end it. */
export class Repeated {
  readonly #options: RepeatOptions
  readonly #ended: Promise<void>
  #isStopped = false
  #isWoken = false
  #endPause: () => void = () => undefined

  constructor(options: RepeatOptions) {
    this.#options = options
    this.#ended = this.#loop()
  }

  /** Runs it soon, or once more after the run that is going on. */
  wake(): void {
    this.#isWoken = true
    this.#endPause()
  }

  /** Resolves when the run that is going on has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    this.#endPause()
    return this.#ended
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false
      await this.#options.run().catch((error: unknown) => {
        this.#options.onError(coerceError(error))
      })
      await this.#pause()
    }
  }

  #pause(): Promise<void> {
    if (this.#isStopped || this.#isWoken) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#options.everyMs)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
