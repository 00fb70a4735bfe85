import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  functions_too_large: {
    kind: 'limit_exceeded',
    fault: 'model',
    title: 'The functions of the model expand to too many nodes or call each other in a circle',
  },
})
