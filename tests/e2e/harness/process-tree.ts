// Who descends from a process, read from /proc: what must be gone when the process is.
import { readdir, readFile } from 'node:fs/promises'

import { until } from './until.js'

export interface ProcessId {
  readonly pid: number
  /** Tells a process from a later one with the same number. */
  readonly startTime: string
  readonly command: string
}

interface ProcessEntry extends ProcessId {
  readonly parent: number
}

/** Fields behind the name, which may hold blanks: state, parent, …, start time is the 20th. */
async function readEntry(pid: number): Promise<ProcessEntry | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (stat === null) return null
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended; only its parent has not looked yet.
  if (state === 'Z' || state === 'X') return null
  const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
  return { pid, parent: Number(parent), startTime: rest[17] ?? '', command }
}

/** All descendants of a process that are alive now. */
export async function descendantsOf(pid: number): Promise<readonly ProcessId[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const entries = (await Promise.all(pids.map(readEntry))).filter((entry) => entry !== null)
  const found: ProcessEntry[] = []
  const look = (parent: number): void => {
    for (const entry of entries) {
      if (entry.parent !== parent) continue
      found.push(entry)
      look(entry.pid)
    }
  }
  look(pid)
  return found
}

export async function isAlive({ pid, startTime }: ProcessId): Promise<boolean> {
  return (await readEntry(pid))?.startTime === startTime
}

/** Waits until all of them are gone; throws the names of those that stay. */
export async function untilGone(
  processes: readonly ProcessId[],
  { limitMs = 10_000 } = {},
): Promise<void> {
  let left = processes
  await until(
    'processes to end',
    async () => {
      const alive = await Promise.all(left.map(isAlive))
      left = left.filter((_, i) => alive[i])
      return left.length === 0
    },
    { limitMs },
  ).catch((cause: unknown) => {
    const names = left.map(({ pid, command }) => `${command} (${pid})`).join(', ')
    throw new Error(`still there after ${limitMs} ms: ${names}`, { cause })
  })
}
