// The disk space of engine processes: one private folder each, removed with it.
//
//   <root>/<host>~<pid>~<uuid>/<uuid>/cwd      empty, the engine's current folder
//                                    /inputs   what the stage reads
//                                    /work     what the stage writes
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

export interface EngineFolder {
  readonly cwd: string
  readonly inputs: string
  readonly work: string
  remove(): Promise<void>
}

/** Of this process; a folder with its pid that is not here was left by an earlier owner of the pid. */
const mine = new Set<string>()

export class WorkFolders {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes this worker's folder, and removes those of workers of this machine that are gone. */
  static async open(path: string): Promise<WorkFolders> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    // Outputs are checked for links on their path, so ours has none.
    const root = await realpath(path)
    for (const name of await readdir(root)) {
      if (isOrphan(name)) await rm(join(root, name), { recursive: true, force: true })
    }
    const name = `${hostname()}~${process.pid}~${randomUUID()}`
    mine.add(name)
    await mkdir(join(root, name), { mode: 0o700 })
    return new WorkFolders(join(root, name))
  }

  async make(): Promise<EngineFolder> {
    const folder = join(this.#folder, randomUUID())
    const paths = {
      cwd: join(folder, 'cwd'),
      inputs: join(folder, 'inputs'),
      work: join(folder, 'work'),
    }
    await mkdir(folder, { mode: 0o700 })
    for (const path of Object.values(paths)) await mkdir(path, { mode: 0o700 })
    return { ...paths, remove: () => rm(folder, { recursive: true, force: true }) }
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function isOrphan(name: string): boolean {
  const [host, pid] = name.split('~')
  if (host !== hostname() || pid === undefined || mine.has(name)) return false
  if (Number(pid) === process.pid) return true
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
