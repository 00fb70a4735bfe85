import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  runtime_rejected_model: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The inference runtime could not load the model',
  },
  runtime_failed: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The inference runtime failed while running the model',
  },
  runtime_invalid_feeds: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The values given to the model do not match its inputs',
  },
  device_unavailable: {
    kind: 'unavailable',
    title: 'The requested device is not usable on this machine',
  },
})
