// Peak memory of every process below one, by what it does. Linux only: it reads /proc.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

const POLL_MS = 100

/** Starts to watch; `stop` answers one row per kind of process, the largest of each. */
export function watchMemory(rootPid) {
  const processes = new Map()
  const look = () => {
    for (const { pid, kind } of below(rootPid)) {
      const { VmHWM = 0, RssAnon = 0 } = memoryOf(pid)
      const known = processes.get(pid) ?? { peak: 0, anonymous: 0 }
      processes.set(pid, {
        kind: known.kind ?? kind,
        peak: Math.max(known.peak, VmHWM),
        anonymous: Math.max(known.anonymous, RssAnon),
      })
    }
  }
  const timer = setInterval(look, POLL_MS)
  return {
    stop: () => {
      clearInterval(timer)
      const rows = new Map()
      for (const { kind = 'engine in waiting', peak, anonymous } of processes.values()) {
        const row = rows.get(kind) ?? { peak: 0, anonymous: 0 }
        rows.set(kind, {
          peak: Math.max(row.peak, peak),
          anonymous: Math.max(row.anonymous, anonymous),
        })
      }
      return [...rows].map(([kind, row]) => ({ kind, ...row }))
    },
  }
}

function below(rootPid) {
  const parents = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = /^PPid:\s*(\d+)$/m.exec(statusOf(name))?.[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const kinds = new Map([[rootPid, 'API']])
  const isBelow = (pid) => {
    for (let at = pid; at !== undefined; at = parents.get(at)) if (at === rootPid) return true
    return false
  }
  return [...parents.keys()]
    .filter(isBelow)
    .map((pid) => ({ pid, kind: kinds.get(pid) ?? kindOf(pid) }))
}

function kindOf(pid) {
  const command = read(`/proc/${pid}/cmdline`)
  // Just started, or just ended.
  if (command === '') return undefined
  if (command.includes('probe-entry')) return "evaluate's probe of memory"
  if (command.includes('worker/dist/main')) return 'worker'
  if (!command.includes('packed/engine')) return /postgres/.test(command) ? 'PostgreSQL' : 'other'
  return stageOf(pid)
}

/** An engine's folder tells its stage by the roles of what it reads; empty, it waits for one. */
function stageOf(pid) {
  try {
    const inputs = join(dirname(readlinkSync(`/proc/${pid}/cwd`)), 'inputs')
    const roles = readdirSync(inputs).sort()
    return roles.length === 0 ? undefined : `engine reading ${roles.join(', ')}`
  } catch {
    return undefined
  }
}

function memoryOf(pid) {
  const rows = statusOf(pid).matchAll(/^(VmHWM|RssAnon):\s+(\d+) kB$/gm)
  return Object.fromEntries(
    [...rows].map(([, name, kibibytes]) => [name, Number(kibibytes) * 1024]),
  )
}

const statusOf = (pid) => read(`/proc/${pid}/status`)

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
