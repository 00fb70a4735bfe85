import { CodedError } from '@pare/errors'

import { storageErrors } from './errors.js'

/** Anything that is not yet typed is the store's failure: the message names the deed, not a path. */
export function storageFailure(error: unknown, message: string): CodedError {
  if (error instanceof CodedError) return error
  return storageErrors.storage_unavailable(message, { cause: error })
}
