import { defineErrors } from '@pare/errors'

/**
 * Faults that only the codec finds; what the scanner finds too has its code in scan/errors.ts,
 * so that a fault has one code whoever meets it first.
 */
export const codecErrors = defineErrors({
  attribute_invalid: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'An attribute has no value, or one that does not fit its type',
  },
  value_type_invalid: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'The type of a value is not one that ONNX defines',
  },
  integer_too_large: {
    kind: 'unsupported',
    fault: 'model',
    title: 'An integer is larger than 2^53 - 1, where a size or version is expected',
  },
  tensor_segment_unsupported: {
    kind: 'unsupported',
    fault: 'model',
    title: 'A tensor is split into segments, which no runtime supports',
  },
  tensor_value_invalid: {
    kind: 'invalid_input',
    fault: 'model',
    title: 'A number in a tensor does not fit the data type of the tensor',
  },
})
