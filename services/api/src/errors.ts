import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  route_not_found: { kind: 'not_found', title: 'There is nothing at this address' },
  url_malformed: { kind: 'invalid_input', title: 'The address cannot be read' },
  request_malformed: { kind: 'invalid_input', title: 'The request cannot be read' },
  body_malformed: { kind: 'invalid_input', title: 'The body is not what its media type says' },
  body_required: { kind: 'invalid_input', title: 'The body is empty' },
  body_invalid: { kind: 'invalid_input', title: 'The body has faults' },
  body_too_large: { kind: 'limit_exceeded', title: 'The body is larger than allowed' },
  digest_mismatch: {
    kind: 'invalid_input',
    title: 'The bytes that arrived are not those of the digest header',
  },
  parameter_invalid: {
    kind: 'invalid_input',
    title: 'A query parameter or header has a value that is not possible',
  },
  media_type_unsupported: {
    kind: 'unsupported',
    title: 'The media type of the body is not accepted here',
  },
  text_invalid: {
    kind: 'invalid_input',
    title: 'A text holds a character that cannot be stored, such as NUL',
  },
  cursor_invalid: { kind: 'invalid_input', title: 'The cursor does not belong to this list' },
  api_key_missing: { kind: 'unauthorized', title: 'An API key is needed' },
  api_key_invalid: { kind: 'unauthorized', title: 'The API key is not valid' },
  scope_missing: { kind: 'forbidden', title: 'The API key may not do this' },
  rate_limited: { kind: 'limit_exceeded', title: 'Too many requests in a short time' },
  too_many_streams: { kind: 'limit_exceeded', title: 'Too many open event streams' },
  idempotency_key_invalid: { kind: 'invalid_input', title: 'The idempotency key is malformed' },
  idempotency_key_reused: {
    kind: 'invalid_input',
    title: 'The idempotency key was used for a different request',
  },
  idempotency_key_in_progress: {
    kind: 'conflict',
    title: 'The first request with this idempotency key is still under way',
  },
  model_not_found: { kind: 'not_found', title: 'There is no such model' },
  model_not_ready: { kind: 'conflict', title: 'The model is still being validated' },
  model_was_rejected: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The model was rejected when it was validated',
  },
  upload_rejected: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The upload was rejected when it was validated',
  },
  dataset_not_found: { kind: 'not_found', title: 'There is no such dataset' },
  dataset_not_ready: { kind: 'conflict', title: 'The dataset is still being validated' },
  dataset_was_rejected: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The dataset was rejected when it was validated',
  },
  resource_in_use: { kind: 'conflict', title: 'An unfinished job uses it' },
  report_not_ready: { kind: 'conflict', title: 'The job has not written its report yet' },
  report_missing: { kind: 'not_found', title: 'The job ended without a report' },
  artifact_not_found: { kind: 'not_found', title: 'There is no such artifact' },
  range_not_satisfiable: {
    kind: 'invalid_input',
    title: 'The artifact has no bytes in this range',
  },
  api_key_not_found: { kind: 'not_found', title: 'There is no such API key' },
  webhook_endpoint_not_found: { kind: 'not_found', title: 'There is no such webhook endpoint' },
  webhook_endpoint_disabled: {
    kind: 'conflict',
    title: 'The webhook endpoint is disabled and receives nothing',
  },
  database_unavailable: { kind: 'unavailable', title: 'The database cannot be used right now' },
  not_ready: { kind: 'unavailable', title: 'A part that the service needs does not answer' },
  internal_error: { kind: 'internal', title: 'Something went wrong inside the service' },
})
