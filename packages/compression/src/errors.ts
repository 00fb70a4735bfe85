import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  recipe_invalid: {
    kind: 'invalid_input',
    title: 'The recipe asks for something that is not possible',
  },
  job_request_invalid: { kind: 'invalid_input', title: 'The job request is not valid' },
  dataset_required: {
    kind: 'invalid_input',
    title: 'The recipe needs a dataset that is not given',
  },
  labels_missing: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The metric compares with labels and the dataset has none',
  },
  metric_unsuitable: {
    kind: 'invalid_input',
    title: 'The metric does not fit the outputs of the model',
  },
  constraint_unmet: {
    kind: 'constraint_unmet',
    fault: 'model',
    title: 'No candidate met the constraints of the job',
  },
  model_run_failed: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The model cannot be run',
  },
  stage_input_missing: { kind: 'internal', title: 'A stage was started without one of its inputs' },
})

/** One fault of a request: where it is (a JSON pointer as a URI fragment) and what is wrong. */
export interface RequestFault {
  readonly pointer: string
  readonly code: string
  readonly detail: string
}
