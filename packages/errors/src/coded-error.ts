import type { ErrorKind, Fault } from './kinds.js'

/** Facts about one occurrence: JSON values only, no secrets, no host paths. */
export type ErrorDetails = Readonly<Record<string, unknown>>

export interface CodedErrorInit {
  readonly code: string
  readonly kind: ErrorKind
  readonly fault: Fault
  readonly title: string
  readonly message: string
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/** A failure with a stable code. `message` says what, where, and what to do about it. */
export class CodedError extends Error {
  readonly code: string
  readonly kind: ErrorKind
  readonly fault: Fault
  /** Constant per code: the summary of the problem type. */
  readonly title: string
  readonly details: ErrorDetails

  constructor(init: CodedErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'CodedError'
    this.code = init.code
    this.kind = init.kind
    this.fault = init.fault
    this.title = init.title
    this.details = init.details ?? {}
  }

  toJSON(): SerializedError {
    return {
      code: this.code,
      kind: this.kind,
      fault: this.fault,
      title: this.title,
      message: this.message,
      details: this.details,
    }
  }
}

/** The form in which a CodedError crosses a process boundary or rests in the database. */
export interface SerializedError {
  readonly code: string
  readonly kind: ErrorKind
  readonly fault: Fault
  readonly title: string
  readonly message: string
  readonly details: ErrorDetails
}

/** Turns whatever was thrown into an Error, keeping it as the cause when it was not one. */
export function coerceError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new Error(`a value that is not an Error was thrown: ${String(thrown)}`, { cause: thrown })
}
