import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
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
  plan_changed: {
    kind: 'internal',
    title: 'The planner was updated while the job ran',
  },
  stage_input_unknown: {
    kind: 'internal',
    title: 'A stage was started with an input it does not take',
  },
  stage_input_missing: { kind: 'internal', title: 'A stage was started without one of its inputs' },
})
