import { defineErrors } from '@pare/errors'

export const errors = defineErrors({
  job_request_invalid: { kind: 'invalid_input', title: 'The job request is not valid' },
  recipe_invalid: {
    kind: 'invalid_input',
    title: 'The recipe asks for something that is not possible',
  },
})

/** One fault of a request: where it is (a JSON pointer as a URI fragment) and what is wrong. */
export interface RequestFault {
  readonly pointer: string
  readonly code: string
  readonly detail: string
}
