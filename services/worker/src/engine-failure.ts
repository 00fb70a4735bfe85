// How the end of an engine process becomes an error of the stage, and which of them may be tried
// again. The only table of that kind.
import { type ClaimedStage, errors as databaseErrors } from '@pare/database'
import type { SerializedError } from '@pare/errors'

import type { EngineCrash } from './engine-process.js'
import { workerErrors } from './errors.js'

/** A crash may be the machine's fault; a third one in a row is not. */
const MAX_CRASH_RETRIES = 2

export interface AttemptFailure {
  readonly error: SerializedError
  /** Absent: by the kind of the error. */
  readonly retryable?: boolean
}

export function crashFailure({ stage }: ClaimedStage, crash: EngineCrash): AttemptFailure {
  const how =
    crash.violation ??
    (crash.signal === null ? `exit code ${crash.exitCode ?? '?'}` : `signal ${crash.signal}`)
  const error = workerErrors.engine_crashed(
    `the engine process of stage "${stage.name}" ended with ${how}, without a result`,
    {
      details: {
        stage: stage.name,
        exit_code: crash.exitCode,
        signal: crash.signal,
        attempt: stage.attempt,
      },
    },
  )
  return { error: error.toJSON(), retryable: stage.faults < MAX_CRASH_RETRIES }
}

export interface TimeLimit {
  readonly ms: number
  /** The job's own limit, not the worker's. */
  readonly isOfJob: boolean
}

export function timeoutFailure({ stage }: ClaimedStage, limit: TimeLimit): AttemptFailure {
  const error = limit.isOfJob
    ? databaseErrors.run_deadline_passed(
        `the job did not end within its max_run_seconds; stage "${stage.name}" was running`,
        { details: { stage: stage.name } },
      )
    : workerErrors.stage_timed_out(
        `stage "${stage.name}" did not end within ${limit.ms / 1000} seconds`,
        { details: { stage: stage.name, limit_ms: limit.ms } },
      )
  return { error: error.toJSON(), retryable: false }
}

export function memoryFailure({ stage }: ClaimedStage, limitBytes: number): AttemptFailure {
  const error = workerErrors.engine_memory_exceeded(
    `stage "${stage.name}" needed more than ${limitBytes} bytes of memory`,
    { details: { stage: stage.name, limit_bytes: limitBytes } },
  )
  return { error: error.toJSON(), retryable: false }
}
