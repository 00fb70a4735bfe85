// Memory that a model needs, measured in a process of its own: what others left behind in this one
// would hide it. The process and how it reads its own peak are the caller's (see `./node`).
import type { InferenceRuntime, SessionOptions } from '@pare/inference'
import type { RuntimeTensor } from '@pare/tensor'

/** Numbers of one process, in bytes. */
export interface MemoryUse {
  /** Peak resident memory above what the process had before it loaded the model. */
  readonly increase_bytes: number
  /** Peak resident memory of the whole process, runtime included. */
  readonly peak_bytes: number
}

export interface MemoryProbe {
  readonly runtime: InferenceRuntime
  readonly model: Uint8Array | { readonly path: string }
  readonly feeds: Readonly<Record<string, RuntimeTensor>>
  readonly session: SessionOptions
  readonly runs: number
  /** Resident memory now, and the most there was since the process started or was reset. */
  readonly readMemory: () => { readonly residentBytes: number; readonly peakBytes: number }
}

/** Loads the model, runs it `runs` times, and says what that took. */
export async function probeMemory(probe: MemoryProbe): Promise<MemoryUse> {
  const before = probe.readMemory().residentBytes
  const session = await probe.runtime.createSession(probe.model, probe.session)
  for (let run = 0; run < probe.runs; run++) await session.run(probe.feeds)
  const { peakBytes } = probe.readMemory()
  await session.release()
  return { increase_bytes: Math.max(0, peakBytes - before), peak_bytes: peakBytes }
}
