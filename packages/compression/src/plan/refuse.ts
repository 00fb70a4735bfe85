import { recipeErrors, type RequestFault } from '@pare/recipe'

import { errors } from '../errors.js'

const REFUSALS = {
  recipe_invalid: recipeErrors.recipe_invalid,
  dataset_required: errors.dataset_required,
  labels_missing: errors.labels_missing,
  metric_unsuitable: errors.metric_unsuitable,
} as const

/** The error for one fault of a request, pointing at its element. */
export function refuse(
  code: keyof typeof REFUSALS,
  pointer: string,
  faultCode: string,
  detail: string,
): Error {
  const fault: RequestFault = { pointer, code: faultCode, detail }
  return REFUSALS[code](`${pointer}: ${detail}`, { details: { errors: [fault] } })
}
