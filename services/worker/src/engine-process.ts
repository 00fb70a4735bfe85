// One engine process, seen from its worker: started with nothing, told one order, and killed with
// everything that it may have started.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Readable } from 'node:stream'

import type { SerializedError } from '@pare/errors'
import type { EngineKillReason } from '@pare/observability'

import { isFromEngine } from './check-engine-message.js'
import {
  type EngineProgress,
  type EngineResult,
  type FromEngine,
  type ToEngine,
} from './engine/protocol.js'
import { workerErrors } from './errors.js'

export interface EngineCommand {
  /** The module that calls `runEngine`. */
  readonly enginePath: string
  /** An empty folder: onnxruntime looks for external data in the current one. */
  readonly cwd: string
  /** Only for GPU nodes: where CUDA's libraries are. Everything else of the environment is empty. */
  readonly libraryPath?: string | undefined
}

export type EngineEnd =
  | { readonly end: 'result'; readonly result: EngineResult }
  | { readonly end: 'probed'; readonly devices: readonly string[] }
  | {
      readonly end: 'failed'
      readonly error: SerializedError
      /** As of a crash: where the engine says more than the error may. */
      readonly stderr: string
    }
  | { readonly end: 'killed'; readonly reason: EngineKillReason }
  | { readonly end: 'crashed'; readonly crash: EngineCrash }

export interface EngineCrash {
  readonly exitCode: number | null
  readonly signal: string | null
  /** The end of what it wrote; for the operator's log only, it may name host paths. */
  readonly stderr: string
  readonly violation?: string
}

const READY_TIMEOUT_MS = 60_000
const STDERR_CHARS = 16_384

export class EngineProcess {
  readonly #child: ChildProcess
  readonly #stderr: () => string
  readonly #exited: Promise<void>
  readonly #ready: Promise<void>
  #killedFor: EngineKillReason | undefined
  #last: FromEngine | undefined
  #violation: string | undefined
  #onProgress: ((progress: EngineProgress) => void) | undefined
  #onReady: () => void = () => undefined

  constructor({ enginePath, cwd, libraryPath }: EngineCommand) {
    // Stages let go of gigabytes at once; left to itself JavaScript keeps them until it needs room.
    this.#child = spawn(process.execPath, ['--expose-gc', enginePath, String(process.pid)], {
      cwd,
      env: libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath },
      // Its own process group, so that one signal reaches whatever it started too.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    yieldProcessor(this.#child.pid)
    this.#stderr = keepTail(this.#child.stderr)
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#killGroup()
        resolve()
      })
      // A process that never came to be has no exit.
      this.#child.once('error', () => resolve())
    })
    const said = new Promise<void>((resolve) => (this.#onReady = resolve))
    this.#ready = Promise.race([said, this.#exited])
    this.#child.on('message', (message: unknown) => this.#hear(message))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isAlive(): boolean {
    return (
      this.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    )
  }

  /** Throws `engine_start_failed` when the process does not get as far as taking orders. */
  async waitUntilReady(): Promise<void> {
    const timer = setTimeout(() => this.#killGroup(), READY_TIMEOUT_MS)
    await this.#ready
    clearTimeout(timer)
    if (this.#killedFor !== undefined || this.isAlive) return
    throw workerErrors.engine_start_failed('the engine process ended before it was ready', {
      cause: new Error(this.#stderr()),
    })
  }

  /** Gives the order, and resolves when the process is gone for whatever reason. */
  async run(order: ToEngine, onProgress?: (progress: EngineProgress) => void): Promise<EngineEnd> {
    this.#onProgress = onProgress
    if (this.isAlive) this.#child.send(order, () => undefined)
    await this.#exited
    return this.#end()
  }

  /** The first reason counts. */
  kill(reason: EngineKillReason): void {
    this.#killedFor ??= reason
    this.#killGroup()
  }

  /** Ends a process whose result is not wanted, and waits until it is gone. */
  async discard(): Promise<void> {
    this.#killGroup()
    await this.#exited
  }

  #hear(message: unknown): void {
    if (!isFromEngine(message)) {
      this.#violation = 'a message of unknown form'
      this.#killGroup()
    } else if (message.type === 'ready') {
      this.#onReady()
    } else if (message.type === 'progress') {
      this.#onProgress?.(message)
    } else if (this.#killedFor === undefined) {
      this.#last ??= message
      this.#killGroup()
    }
  }

  async #end(): Promise<EngineEnd> {
    if (this.#last?.type === 'result') return { end: 'result', result: this.#last }
    if (this.#last?.type === 'probed') return { end: 'probed', devices: this.#last.devices }
    if (this.#killedFor !== undefined && this.#last === undefined) {
      return { end: 'killed', reason: this.#killedFor }
    }
    await this.#restOfStderr()
    if (this.#last?.type === 'failed') {
      return { end: 'failed', error: this.#last.error, stderr: this.#stderr() }
    }
    const { exitCode, signalCode } = this.#child
    return {
      end: 'crashed',
      crash: {
        exitCode,
        signal: signalCode,
        stderr: this.#stderr(),
        ...(this.#violation === undefined ? {} : { violation: this.#violation }),
      },
    }
  }

  /** The pipe may hold text after the exit; a survivor of the group could keep it open for ever. */
  async #restOfStderr(): Promise<void> {
    const { stderr } = this.#child
    if (stderr === null || stderr.closed) return
    await Promise.race([
      once(stderr, 'close'),
      new Promise((resolve) => setTimeout(resolve, 200).unref()),
    ])
  }

  #killGroup(): void {
    if (this.pid === undefined) return
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

function keepTail(stream: Readable | null): () => string {
  let tail = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => (tail = (tail + text).slice(-STDERR_CHARS)))
  return () => tail
}

/** A sixth of the weight of what runs at normal priority, or less: see `man 7 sched`. */
const ENGINE_NICE = 15

/**
 * Engines take all that is left of the machine, but not what answering requests and leases needs:
 * the API, the database and this worker go first. Where Linux schedules by session (autogroup), a
 * priority counts only among the processes of one, so that of the session is lowered as well.
 */
function yieldProcessor(pid: number | undefined): void {
  if (pid === undefined) return
  const nice = ENGINE_NICE
  try {
    setPriority(pid, nice)
    writeFileSync(`/proc/${pid}/autogroup`, String(nice))
  } catch {
    // It has ended already, or the system has no such thing: then it computes at our priority.
  }
}
