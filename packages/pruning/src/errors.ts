import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  pruning_options_invalid: {
    kind: 'invalid_input',
    title: 'The pruning options contradict each other or are out of range',
  },
  pruning_not_applicable: {
    kind: 'unsupported',
    fault: 'model',
    title: 'No weight of the model can be changed in the way asked for',
  },
})
