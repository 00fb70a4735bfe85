// Counting in a thread of its own: onnxruntime holds the main thread while it runs the next batch.
import { Worker } from 'node:worker_threads'

import type { Counter, PointValues } from './counter.js'
import type { StatesByKind, StatisticsKind } from './statistics.js'

export type ToCountingThread =
  { readonly type: 'add'; readonly tensors: readonly PointValues[] } | { readonly type: 'states' }

export type FromCountingThread =
  | { readonly type: 'counted' }
  | { readonly type: 'states'; readonly states: ReadonlyMap<string, StatesByKind[StatisticsKind]> }

/** Threads run from dist, tests from source. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? '../dist/counting-thread.js' : './counting-thread.js',
  import.meta.url,
)

/** Groups of tensors that wait while one is counted and the session makes another. */
const MOST_WAITING = 1

/**
 * Starts the thread. Values are moved to it, not copied, so that their buffers are empty here
 * afterwards; at most `maxBytes` of them are outside the session at a time, unless one alone is more.
 * `close` ends the thread, whatever it is doing.
 */
export function countInThread<Kind extends StatisticsKind>(
  kind: Kind,
  { maxBytes, entry = ENTRY }: { readonly maxBytes: number; readonly entry?: URL },
): Counter<Kind> {
  return new ThreadCounter<Kind>(
    new Worker(entry, { workerData: { kind }, execArgv: [] }),
    maxBytes,
  )
}

class ThreadCounter<Kind extends StatisticsKind> implements Counter<Kind> {
  private readonly worker: Worker
  private readonly maxBytes: number
  /** Bytes of each group that is not counted yet. */
  private readonly waiting: number[] = []
  private received: ReadonlyMap<string, StatesByKind[Kind]> | undefined
  private failure: Error | undefined
  private wake: () => void = () => undefined

  constructor(worker: Worker, maxBytes: number) {
    this.worker = worker
    this.maxBytes = maxBytes
    worker.on('message', (message: FromCountingThread) => {
      if (message.type === 'counted') this.waiting.shift()
      else this.received = message.states as ReadonlyMap<string, StatesByKind[Kind]>
      this.wake()
    })
    worker.on('error', (error) => this.fail(error))
    worker.on('exit', (code) => {
      this.fail(new Error(`the counting thread ended with exit code ${code}`))
    })
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.wake()
  }

  private async until(isSo: () => boolean): Promise<void> {
    while (this.failure === undefined && !isSo()) {
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.failure !== undefined) throw this.failure
  }

  async room(bytes: number): Promise<void> {
    const fits = () => this.waiting.reduce((sum, n) => sum + n, bytes) <= this.maxBytes
    await this.until(
      () => this.waiting.length === 0 || (this.waiting.length <= MOST_WAITING && fits()),
    )
  }

  add(tensors: readonly PointValues[]): void {
    this.waiting.push(tensors.reduce((sum, { values }) => sum + values.byteLength, 0))
    const buffers = new Set(tensors.map(({ values }) => values.buffer as ArrayBuffer))
    const message: ToCountingThread = { type: 'add', tensors }
    this.worker.postMessage(message, [...buffers])
  }

  async states(): Promise<ReadonlyMap<string, StatesByKind[Kind]>> {
    this.received = undefined
    const request: ToCountingThread = { type: 'states' }
    this.worker.postMessage(request)
    await this.until(() => this.received !== undefined)
    return this.received!
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }
}
