import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  tensor_type_unsupported: {
    kind: 'unsupported',
    fault: 'model',
    title: 'The operation does not support tensors of this data type',
  },
  tensor_shape_invalid: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'A tensor has an invalid shape',
  },
  tensor_data_mismatch: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The data of a tensor does not have the size that its shape needs',
  },
  tensor_data_not_loaded: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The data of a tensor lies in a file that was not loaded',
  },
  tensor_value_out_of_range: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'A value does not fit the data type of its tensor',
  },
})
