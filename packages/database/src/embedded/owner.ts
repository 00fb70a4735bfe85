// Which process a data folder belongs to. Two programs on one folder would each stop the other's
// server as a stale one, so the second is refused.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { errors } from '../errors.js'

interface Owner {
  readonly pid: number
  /** Tells a process from a later one with its number; null where the system does not say. */
  readonly startTime: string | null
}

const held = new Set<string>()

export async function takeFolder(dir: string): Promise<void> {
  const owner = await readOwner(dir)
  if (held.has(dir) || (owner !== null && (await isAlive(owner)))) {
    throw errors.postgres_in_use(
      `${dir} is in use by process ${owner?.pid ?? process.pid}: stop it first`,
      { details: { pid: owner?.pid ?? process.pid } },
    )
  }
  held.add(dir)
  const self: Owner = { pid: process.pid, startTime: await startTimeOf(process.pid) }
  await writeFile(ownerFile(dir), JSON.stringify(self), { mode: 0o600 })
}

export async function leaveFolder(dir: string): Promise<void> {
  held.delete(dir)
  await rm(ownerFile(dir), { force: true })
}

function ownerFile(dir: string): string {
  return join(dir, 'owner.json')
}

async function readOwner(dir: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(ownerFile(dir), 'utf8')) as Owner
  } catch {
    // Absent, or cut short by a crash: nobody's.
    return null
  }
}

async function isAlive({ pid, startTime }: Owner): Promise<boolean> {
  if (pid === process.pid || !processExists(pid)) return false
  return startTime === (await startTimeOf(pid))
}

export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Field 22 of /proc/pid/stat, counted behind the name, which may hold blanks. */
async function startTimeOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}
