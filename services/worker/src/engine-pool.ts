// Keeps one engine process warm: Node started, onnxruntime loaded, no data seen. A stage takes it and
// it is never used again; the next one is started at once.
import { EngineProcess } from './engine-process.js'
import type { EngineFolder, WorkFolders } from './work-folders.js'

export interface Engine {
  readonly process: EngineProcess
  readonly folder: EngineFolder
}

export interface EnginePoolOptions {
  readonly folders: WorkFolders
  readonly enginePath: string
  readonly libraryPath?: string | undefined
  /** A spare that died or never started; the next stage will meet the same fault and report it. */
  readonly onSpareLost: (error: Error) => void
}

export class EnginePool {
  readonly #options: EnginePoolOptions
  #spare: Promise<Engine> | undefined
  #isClosed = false

  constructor(options: EnginePoolOptions) {
    this.#options = options
  }

  /** Starts the spare, if there is none. */
  warm(): void {
    if (this.#isClosed || this.#spare !== undefined) return
    const spare = this.#start()
    this.#spare = spare
    spare.catch((error: unknown) => {
      if (this.#spare === spare) this.#spare = undefined
      if (!this.#isClosed) this.#options.onSpareLost(error as Error)
    })
  }

  /** An engine that waits for its order. The caller ends it with `release`. */
  async take(): Promise<Engine> {
    const spare = this.#spare
    this.#spare = undefined
    const engine = await this.#useOrStart(spare)
    this.warm()
    return engine
  }

  async release(engine: Engine): Promise<void> {
    await engine.process.discard()
    await engine.folder.remove()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const spare = await this.#spare?.catch(() => undefined)
    this.#spare = undefined
    if (spare !== undefined) await this.release(spare)
  }

  async #useOrStart(spare: Promise<Engine> | undefined): Promise<Engine> {
    const engine = await spare?.catch(() => undefined)
    if (engine?.process.isAlive === true) return engine
    if (engine !== undefined) await this.release(engine)
    return this.#start()
  }

  async #start(): Promise<Engine> {
    const { folders, enginePath, libraryPath } = this.#options
    const folder = await folders.make()
    const engine = {
      process: new EngineProcess({ enginePath, cwd: folder.cwd, libraryPath }),
      folder,
    }
    try {
      await engine.process.waitUntilReady()
      return engine
    } catch (error) {
      await this.release(engine)
      throw error
    }
  }
}
