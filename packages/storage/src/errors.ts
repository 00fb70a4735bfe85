import { defineErrors } from '@pare/errors'

/** Everything that can go wrong between a caller and the blob store. */
export const storageErrors = defineErrors({
  blob_not_found: { kind: 'not_found', title: 'The store holds no blob with this hash' },
  blob_mismatch: {
    kind: 'invalid_input',
    title: 'The bytes that arrived are not the bytes that were announced',
  },
  blob_too_large: { kind: 'limit_exceeded', title: 'The bytes exceed the size limit' },
  // Retryable: a second read may pass where a connection or a cache damaged the first one.
  blob_corrupt: {
    kind: 'unavailable',
    fault: 'internal',
    title: 'The stored bytes do not match their hash',
  },
  storage_unavailable: { kind: 'unavailable', title: 'The blob store cannot be used right now' },
  storage_url_invalid: {
    kind: 'invalid_input',
    title: 'The storage URL or a blob hash is malformed',
  },
})
