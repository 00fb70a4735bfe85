import type { CodedError } from '@pare/errors'

import { errors } from './errors.js'
import type { Placement } from './placement.js'

const MAX_REASONS = 5

/** Says why a plan without a single integer layer has none. */
export function notApplicable({ floats }: Placement): CodedError {
  const reasons = [...new Set([...floats.values()].map(({ message }) => message))]
  return errors.quantization_not_applicable(
    reasons.length === 0
      ? 'the model has no Conv, Gemm or MatMul with constant float32 weights'
      : `every layer stays float: ${reasons.slice(0, MAX_REASONS).join('; ')}`,
    { details: { reasons } },
  )
}
