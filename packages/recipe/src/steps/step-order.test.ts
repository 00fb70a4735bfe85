import { CodedError } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import type { RequestFault } from '../errors.js'
import { parseJobRequest } from '../request/parse-job-request.js'
import { checkStepOrder } from './step-order.js'

/** Faults of the order of these steps, as the whole parser finds them. */
function faultsOf(...steps: readonly (string | object)[]): readonly RequestFault[] {
  const list = steps.map((step) => (typeof step === 'string' ? { type: step } : step))
  try {
    const constraints = { max_drop: 0.01 }
    const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: list }, constraints })
    expect(checkStepOrder(request.recipe.steps)).toEqual([])
    return []
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    expect(error.code).toBe('recipe_invalid')
    return error.details['errors'] as readonly RequestFault[]
  }
}

const repeatOf = (...types: readonly string[]) => ({
  type: 'repeat',
  steps: types.map((type) => ({ type })),
})

describe('the order of steps', () => {
  it.each([
    [['prune_weights', 'quantize_static']],
    [['prune_weights', 'prune_weights', 'convert_float16']],
    [[repeatOf('prune_weights'), 'quantize_weights']],
    [[repeatOf('prune_weights'), repeatOf('prune_weights')]],
  ])('takes %j', (steps) => {
    expect(faultsOf(...steps)).toEqual([])
  })

  it.each([
    [['quantize_static', 'prune_weights'], /put prune_weights before quantize_static/],
    [['quantize_static', 'quantize_dynamic'], /computes in integers already; keep one of the two/],
    [['quantize_weights', 'quantize_weights'], /narrow already; keep one of the two/],
    [['convert_float16', 'quantize_static'], /float16 already; keep one of the two/],
  ])('refuses %j with the order that would work', (steps, says) => {
    const faults = faultsOf(...steps)
    expect(faults).toMatchObject([{ pointer: '#/recipe/steps/1', code: 'step_order' }])
    expect(faults[0]?.detail).toMatch(says)
  })

  it('refuses a round that cannot be followed by another', () => {
    const faults = faultsOf(repeatOf('prune_weights', 'quantize_static'))
    expect(faults).toMatchObject([{ pointer: '#/recipe/steps/0/steps/1', code: 'step_order' }])
    expect(faults[0]?.detail).toMatch(/behind the repeat/)
  })

  it('looks inside a repeat for what the steps before it left', () => {
    const faults = faultsOf('quantize_static', repeatOf('prune_weights'))
    expect(faults).toMatchObject([{ pointer: '#/recipe/steps/1/steps/0', code: 'step_order' }])
    expect(faults[0]?.detail).toMatch(/put prune_weights before quantize_static/)
  })
})
