import { defineErrors } from '@pare/errors'

/** What can be wrong with a data set. Every message names the array and what to do about it. */
export const errors = defineErrors({
  dataset_format_unknown: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The data set is neither an .npz archive nor an .npy array',
  },
  dataset_truncated: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The data set ends before its contents do',
  },
  dataset_archive_invalid: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The .npz archive is damaged or uses a feature that .npz files do not have',
  },
  dataset_archive_entry_refused: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The .npz archive holds an entry that is not an array with an acceptable name',
  },
  dataset_limit_exceeded: {
    kind: 'limit_exceeded',
    fault: 'data',
    title: 'The data set is larger than the service accepts',
  },
  dataset_inflation_refused: {
    kind: 'limit_exceeded',
    fault: 'data',
    title: 'The archive inflates to far more than its own size',
  },
  dataset_array_invalid: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'An array of the data set has a header that cannot be read',
  },
  dataset_dtype_unsupported: {
    kind: 'unsupported',
    fault: 'data',
    title: 'An array of the data set has a dtype that models do not take',
  },
  dataset_order_unsupported: {
    kind: 'unsupported',
    fault: 'data',
    title: 'An array of the data set is stored column by column',
  },
  dataset_empty: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The data set has no samples',
  },
  dataset_lengths_differ: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The arrays of the data set have different numbers of samples',
  },
  dataset_nan: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'An array of the data set contains NaN',
  },
  dataset_labels_missing: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The data set has no labels array of that name',
  },
  dataset_labels_not_classes: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The labels are not class indices',
  },
  dataset_labels_out_of_range: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'A label is not a class of the model',
  },
  dataset_input_missing: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The data set has no array for an input of the model',
  },
  dataset_dtype_mismatch: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'An array has another dtype than the input of the model',
  },
  dataset_shape_mismatch: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'An array has another shape than the input of the model',
  },
  dataset_not_normalized: {
    kind: 'internal',
    title: 'A compressed data set was opened where the normalized form is needed',
  },
})
