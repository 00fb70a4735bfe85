// What stages read and leave behind, and what rings the queue for them. (The plan itself is
// described in @pare/recipe.)
import type { Device, Priority, StageProgress } from '@pare/recipe'

export interface ResolvedInput {
  readonly role: string
  readonly sha256: string
}

export interface StageOutput {
  readonly sha256: string
  readonly sizeBytes: number
  readonly mediaType: string
}

/** role → blob. */
export type StageOutputs = Readonly<Record<string, StageOutput>>

/** Progress of a job: `fraction` of all stages, and where it is now. */
export interface JobProgress extends StageProgress {
  readonly stage: string
  /** 0 to 1, counting every stage alike. */
  readonly fraction: number
}

/** Rings the queue for a stage that can be claimed. Losing or repeating one is harmless. */
export interface Doorbell {
  readonly stageId: string
  /** The attempt that the claim would start. */
  readonly attempt: number
  readonly kind: string
  readonly priority: Priority
  /** Only a worker that has it can claim the stage. */
  readonly device: Device
  /** Ring no earlier than this many milliseconds from now. */
  readonly delayMs: number
}
