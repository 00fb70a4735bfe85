import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  operator_unavailable: {
    kind: 'unsupported',
    fault: 'model',
    title: 'The opset of the model lacks an operator that has to be written into it',
  },
})
