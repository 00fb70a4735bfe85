import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  quantization_options_invalid: {
    kind: 'invalid_input',
    title: 'The quantization options contradict each other or the model',
  },
  quantization_statistics_missing: {
    kind: 'invalid_input',
    title: 'The calibration statistics do not belong to this model',
  },
  quantization_not_applicable: {
    kind: 'unsupported',
    fault: 'model',
    title: 'No layer of the model can be quantized',
  },
  narrow_type_unsupported: {
    kind: 'unsupported',
    fault: 'client',
    title: 'The runtime does not run models of this float type',
  },
})
