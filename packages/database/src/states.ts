// The two state machines. Every change of a job's or a stage's state passes through
// `assertJobTransition` or `assertStageTransition`; nothing leaves a terminal state.
//
//   job
//     queued ──► running ──► finalizing ──► succeeded
//       │           │ │           │
//       │           │ └───────────┴───────► failed
//       │           └──► canceling ───────► canceled
//       ├─────────────────────────────────► canceled    nothing was running yet
//       └─────────────────────────────────► expired     max_queue_seconds passed
//
//   A job runs from the claim of its first stage (or from its acceptance, when every result is
//   known already), finalizes when its last stage succeeded, and cancels while a stage is running.
//
//   stage
//     blocked ──► queued ──► running ──► succeeded
//        │          │  ▲        │  └───► failed
//        │          │  └────────┤           infrastructure fault, or a worker that hands it back
//        │          │           └──────► canceled
//        ├──────────┴──────────────────► succeeded      the key's result is known already
//        └──────────┴──────────────────► canceled       its job ended without it
import { errors } from './errors.js'

export const JOB_STATES = [
  'queued',
  'running',
  'finalizing',
  'canceling',
  'succeeded',
  'failed',
  'canceled',
  'expired',
] as const
export type JobState = (typeof JOB_STATES)[number]

export const STAGE_STATES = [
  'blocked',
  'queued',
  'running',
  'succeeded',
  'failed',
  'canceled',
] as const
export type StageState = (typeof STAGE_STATES)[number]

/** States of a model or dataset. */
export const UPLOAD_STATES = ['validating', 'ready', 'rejected', 'deleted'] as const
export type UploadState = (typeof UPLOAD_STATES)[number]

export const JOB_TRANSITIONS: Readonly<Record<JobState, readonly JobState[]>> = {
  queued: ['running', 'canceled', 'expired'],
  running: ['finalizing', 'failed', 'canceling'],
  finalizing: ['succeeded', 'failed'],
  canceling: ['canceled'],
  succeeded: [],
  failed: [],
  canceled: [],
  expired: [],
}

export const STAGE_TRANSITIONS: Readonly<Record<StageState, readonly StageState[]>> = {
  blocked: ['queued', 'succeeded', 'canceled'],
  queued: ['running', 'succeeded', 'canceled'],
  running: ['succeeded', 'failed', 'canceled', 'queued'],
  succeeded: [],
  failed: [],
  canceled: [],
}

export function isTerminalJobState(state: JobState): boolean {
  return JOB_TRANSITIONS[state].length === 0
}

export function isTerminalStageState(state: StageState): boolean {
  return STAGE_TRANSITIONS[state].length === 0
}

export function assertJobTransition(id: string, from: JobState, to: JobState): void {
  if (JOB_TRANSITIONS[from].includes(to)) return
  throw errors.transition_not_allowed(`job ${id} is ${from} and cannot become ${to}`, {
    details: { id, from, to },
  })
}

export function assertStageTransition(id: string, from: StageState, to: StageState): void {
  if (STAGE_TRANSITIONS[from].includes(to)) return
  throw errors.transition_not_allowed(`stage ${id} is ${from} and cannot become ${to}`, {
    details: { id, from, to },
  })
}
