import { defineErrors } from '@pare/errors'

export const queueErrors = defineErrors({
  queue_unavailable: { kind: 'unavailable', title: 'The queue cannot be used right now' },
  queue_url_invalid: { kind: 'invalid_input', title: 'The queue URL is malformed' },
})
