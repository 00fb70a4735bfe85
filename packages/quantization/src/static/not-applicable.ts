import type { CodedError } from '@pare/errors'
import { opFacts } from '@pare/ops'

import { errors } from '../errors.js'
import type { Placement } from '../placement/placement.js'

const MAX_REASONS = 5

/** Says why a plan without a single integer layer has none. */
export function notApplicable({ floats }: Pick<Placement, 'floats'>): CodedError {
  const layers = [...floats].filter(([node]) => opFacts(node)?.weightInput !== undefined)
  const reasons = [...new Set(layers.map(([, { message }]) => message))]
  return errors.quantization_not_applicable(
    reasons.length === 0
      ? 'the model has no Conv, Gemm or MatMul with constant float32 weights'
      : `every layer stays float: ${reasons.slice(0, MAX_REASONS).join('; ')}`,
    { details: { reasons } },
  )
}
