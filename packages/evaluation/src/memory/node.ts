// Starts the memory probe as a process of its own. Everything else in this package takes values and
// returns values; measuring a process needs one.
// eslint-disable-next-line no-restricted-imports -- the one adapter of the package, behind its own subpath
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import type { InputBinding } from '@pare/datasets'
import type { SessionOptions } from '@pare/inference'

import { errors } from '../errors.js'
import type { MemoryUse } from './memory-probe.js'

/** What the probe process is told: plain JSON. */
export interface MemoryProbeRequest {
  readonly modelPath: string
  /** A normalized data set; its first samples are run. */
  readonly datasetPath: string
  readonly labels?: string
  readonly inputs: readonly InputBinding[]
  readonly batchSize: number
  readonly session: SessionOptions
  /** Default 3: the first run allocates, the second reuses. */
  readonly runs?: number
}

export type MemoryProbeReply = { readonly memory: MemoryUse } | { readonly failure: string }

// Compiled: a process of its own knows nothing of the sources' loader. Right from src/ and dist/ alike.
/** Node runs compiled files only: from source (in tests) the compiled entry is beside it in dist. */
const ENTRY = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/memory/probe-entry.js' : './probe-entry.js',
    import.meta.url,
  ),
)

/** Gigabytes may have to come from a slow disk first. */
const DEFAULT_TIMEOUT_MS = 15 * 60 * 1000

/**
 * Measures in a fresh process with an empty environment. Throws `memory_probe_failed` when it ends
 * without a reply or takes longer than `timeoutMs`. Reads Linux's own count of the peak; on other
 * systems the peak is that of the whole life of the process.
 */
export async function measureMemory(
  request: MemoryProbeRequest,
  { timeoutMs = DEFAULT_TIMEOUT_MS } = {},
): Promise<MemoryUse> {
  const child = fork(ENTRY, { env: {}, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  try {
    child.send(request)
    const reply = await firstReply(child)
    if ('memory' in reply) return reply.memory
    throw errors.memory_probe_failed(`the memory of the model was not measured: ${reply.failure}`)
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
}

function firstReply(child: ChildProcess): Promise<MemoryProbeReply> {
  return new Promise((resolve, reject) => {
    let complaint = ''
    child.stderr?.on(
      'data',
      (text: Buffer) => (complaint = (complaint + text.toString()).slice(-2000)),
    )
    child.once('message', (message) => resolve(message as MemoryProbeReply))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const end = signal ?? `exit code ${code ?? 0}`
      reject(
        errors.memory_probe_failed(`the process that measures memory ended with ${end}`, {
          details: { complaint },
        }),
      )
    })
  })
}
