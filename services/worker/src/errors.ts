import { defineErrors } from '@pare/errors'

export const workerErrors = defineErrors({
  engine_crashed: {
    kind: 'internal',
    title: 'The engine process ended without a result',
  },
  engine_memory_exceeded: {
    kind: 'limit_exceeded',
    fault: 'model',
    title: 'The stage needed more memory than it is allowed',
  },
  engine_output_invalid: {
    kind: 'internal',
    title: 'The engine process named an output that is not a file of its own',
  },
  engine_output_too_large: {
    kind: 'limit_exceeded',
    fault: 'model',
    title: 'An output of the stage is larger than allowed',
  },
  devices_unusable: {
    kind: 'unavailable',
    title: 'None of the devices that the worker is to offer can be used',
  },
  engine_start_failed: { kind: 'unavailable', title: 'An engine process could not be started' },
  stage_timed_out: {
    kind: 'timeout',
    fault: 'model',
    title: 'The stage did not end within its time',
  },
  stage_failed_unexpectedly: {
    kind: 'internal',
    title: 'A stage met a fault in Pare itself',
  },
  stage_kind_unknown: {
    kind: 'internal',
    title: 'The engine of this worker does not know the kind of the stage',
  },
})
