import { CodedError, type ErrorDetails } from './coded-error.js'
import type { ErrorKind, Fault } from './kinds.js'

/** One row of a package's error table. */
export interface ErrorRow {
  readonly kind: ErrorKind
  /** Whose fault it is; `client` unless the kind says otherwise. */
  readonly fault?: Fault
  /** One sentence, constant for the code: shown as the problem's title and in docs/errors.md. */
  readonly title: string
}

export interface RaiseOptions {
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

export type ErrorTable<Rows extends Record<string, ErrorRow>> = {
  /** The rows, for the documentation and its test. */
  readonly rows: Rows
} & {
  readonly [Code in keyof Rows & string]: (message: string, options?: RaiseOptions) => CodedError
}

/**
 * Makes a package's error table. Codes are the row names in snake_case, unique in the whole product.
 *
 * @example
 * export const errors = defineErrors({ model_truncated: { kind: 'invalid_input', fault: 'model', title: '…' } })
 * throw errors.model_truncated('the file ends inside node 3', { details: { offset: 120 } })
 */
export function defineErrors<const Rows extends Record<string, ErrorRow>>(
  rows: Rows,
): ErrorTable<Rows> {
  const raisers = Object.entries(rows).map(([code, row]) => [
    code,
    (message: string, options: RaiseOptions = {}) =>
      new CodedError({
        code,
        kind: row.kind,
        fault: row.fault ?? defaultFault(row.kind),
        title: row.title,
        message,
        ...options,
      }),
  ])
  return { rows, ...Object.fromEntries(raisers) } as ErrorTable<Rows>
}

function defaultFault(kind: ErrorKind): Fault {
  switch (kind) {
    case 'internal':
      return 'internal'
    case 'unavailable':
    case 'timeout':
      return 'capacity'
    default:
      return 'client'
  }
}
