import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  transition_not_allowed: {
    kind: 'conflict',
    title: 'The state does not allow this change',
  },
  plan_invalid: { kind: 'internal', title: 'The plan of the job contradicts itself' },
  stage_token_stale: {
    kind: 'conflict',
    fault: 'internal',
    title: 'Another attempt has taken over this stage',
  },
  stage_output_missing: {
    kind: 'internal',
    title: 'A stage did not give an output that a later one needs',
  },
  worker_lost: {
    kind: 'unavailable',
    fault: 'internal',
    title: 'The worker stopped answering in the middle of a stage',
  },
  job_not_found: { kind: 'not_found', title: 'There is no such job' },
  client_job_id_taken: {
    kind: 'conflict',
    title: 'Another job of the project has this client_job_id',
  },
  job_not_cancelable: { kind: 'conflict', title: 'The job has ended already' },
  job_not_retryable: {
    kind: 'conflict',
    title: 'Only a job that failed, expired or was canceled can be retried',
  },
  queue_deadline_passed: {
    kind: 'timeout',
    title: 'The job waited longer than max_queue_seconds',
  },
  run_deadline_passed: {
    kind: 'timeout',
    fault: 'client',
    title: 'The job ran longer than max_run_seconds',
  },
  webhook_delivery_not_found: { kind: 'not_found', title: 'There is no such webhook delivery' },
  webhook_body_too_large: {
    kind: 'internal',
    title: 'A webhook body exceeds what the specification allows',
  },
  postgres_in_use: {
    kind: 'conflict',
    title: 'Another process uses this data folder',
  },
  postgres_unavailable: {
    kind: 'unavailable',
    title: 'The embedded PostgreSQL did not start',
  },
})
