export { assertNever } from './assert-never.js'
export {
  CodedError,
  type CodedErrorInit,
  coerceError,
  type ErrorDetails,
  type SerializedError,
} from './coded-error.js'
export { defineErrors, type ErrorRow, type ErrorTable, type RaiseOptions } from './define-errors.js'
export { ERROR_KINDS, type ErrorKind, type Fault, FAULTS } from './kinds.js'
