import { CodedError } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import type { RequestFault } from '../errors.js'
import { parseJobRequest } from '../parse-job-request.js'
import { checkStep } from './check-steps.js'

/** Pointers of the faults of a recipe with this step. */
function pointers(step: object): readonly string[] {
  const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] } })
  try {
    checkStep(request.recipe.steps[0]!, '#/recipe/steps/0')
    return []
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    expect(error.code).toBe('recipe_invalid')
    const faults = error.details['errors'] as readonly RequestFault[]
    return faults.map(({ pointer }) => pointer)
  }
}

describe('checkStep', () => {
  const weights = { type: 'quantize_weights' }

  it.each([
    [{ bits: 2, format: 'QDQ' }, ['bits']],
    [{ op_types_to_quantize: ['MatMul', 'Relu'] }, ['op_types_to_quantize/1']],
    [{ op_types_to_quantize: ['Conv'] }, ['op_types_to_quantize/0']],
    [{ bits: 2, op_types_to_quantize: ['Gather'] }, ['op_types_to_quantize/0']],
    [
      { bits: 2, format: 'QDQ', op_types_to_quantize: ['Gather'] },
      ['bits', 'op_types_to_quantize/0'],
    ],
  ])('points at what %j cannot be', (parameters, expected) => {
    const found = pointers({ ...weights, ...parameters })
    expect(found).toEqual(expected.map((parameter) => `#/recipe/steps/0/${parameter}`))
  })

  it.each([
    weights,
    { ...weights, bits: 2 },
    { ...weights, bits: 4, format: 'QDQ', op_types_to_quantize: ['Conv', 'Gather'] },
    { type: 'quantize_dynamic', op_types_to_quantize: ['Conv'] },
    { type: 'convert_float16', op_block_list: ['Softmax'] },
  ])('takes %j', (step) => {
    expect(pointers(step)).toEqual([])
  })
})
