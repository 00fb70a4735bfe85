// The memory limit of an engine process. Linux only: elsewhere there is no /proc and no limit.
import { readFile } from 'node:fs/promises'

const POLL_MS = 100

/** What the process holds and nobody else could reclaim: anonymous and shared pages, and swap. */
const FIELDS = /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm

export interface MemoryWatch {
  /** The most that was seen. */
  readonly peakBytes: number
  stop(): void
}

/** Calls `onExceeded` once when the process holds more than `limitBytes`. */
export function watchMemory(
  pid: number,
  limitBytes: number,
  onExceeded: (bytes: number) => void,
): MemoryWatch {
  let peakBytes = 0
  let isOver = false
  const timer = setInterval(() => {
    void readMemory(pid).then((bytes) => {
      peakBytes = Math.max(peakBytes, bytes)
      if (bytes <= limitBytes || isOver) return
      isOver = true
      onExceeded(bytes)
    })
  }, POLL_MS)
  return {
    get peakBytes() {
      return peakBytes
    },
    stop: () => clearInterval(timer),
  }
}

async function readMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  let kibibytes = 0
  for (const [, amount] of status.matchAll(FIELDS)) kibibytes += Number(amount)
  return kibibytes * 1024
}
