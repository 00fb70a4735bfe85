import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  outputs_not_scores: {
    kind: 'invalid_input',
    title: 'The output of the model does not hold one score per class',
  },
  outputs_not_targets: {
    kind: 'invalid_input',
    title: 'The output of the model does not have the shape of the labels',
  },
  output_unknown: {
    kind: 'invalid_input',
    title: 'The model has no output of that name',
  },
  outputs_differ: {
    kind: 'internal',
    title: 'The result does not have the outputs of the original',
  },
  evaluation_labels_missing: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The metric compares with labels and the data set has none',
  },
  metric_undefined: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The labels of the data leave nothing to judge by',
  },
  evaluation_without_samples: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'There is no sample to evaluate on',
  },
  memory_probe_failed: {
    kind: 'internal',
    title: 'The process that measures memory ended without a measurement',
  },
})
