import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  configuration_invalid: {
    kind: 'invalid_input',
    title: 'The environment does not hold a usable configuration',
  },
})
