// Names of temporary files that tell whose they are, so that the next start can remove what a killed
// process left behind without touching the files of one that lives.
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'

export function ownedName(): string {
  return `${hostname()}~${process.pid}~${randomUUID()}`
}

/** Whether the owner ran on this machine and is gone. */
export function isOrphan(name: string): boolean {
  const [host, pid] = name.split('~')
  if (host !== hostname() || pid === undefined || Number(pid) === process.pid) return false
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
