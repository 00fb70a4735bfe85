import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  calibration_data_empty: {
    kind: 'invalid_input',
    fault: 'data',
    title: 'The calibration data holds no samples',
  },
  calibration_options_invalid: {
    kind: 'invalid_input',
    title: 'The parameters of the calibration method are out of range',
  },
  calibration_statistics_invalid: {
    kind: 'invalid_input',
    title: 'The calibration statistics are not in a form this version understands',
  },
  calibration_statistics_mismatch: {
    kind: 'conflict',
    title: 'Calibration statistics of different kinds cannot be merged',
  },
})
