import { CodedError } from '@pare/errors'
import { parseJobRequest, type RequestFault } from '@pare/recipe'
import { describe, expect, it } from 'vitest'

import { checkStep } from './check-steps.js'

/** Pointers of the faults of a request with this step, and the error's code. */
function pointers(step: object, target: object = {}, code = 'recipe_invalid'): readonly string[] {
  try {
    const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] }, target })
    checkStep(request.recipe.steps[0]!, '#/recipe/steps/0', request.target)
    return []
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    expect(error.code).toBe(code)
    const faults = error.details['errors'] as readonly RequestFault[]
    return faults.map(({ pointer }) => pointer)
  }
}

describe('checkStep', () => {
  const weights = { type: 'quantize_weights' }

  it.each([
    [{ op_types_to_quantize: ['MatMul', 'Relu'] }, ['op_types_to_quantize/1']],
    [{ format: 'MatMulNBits', op_types_to_quantize: ['Conv'] }, ['op_types_to_quantize/0']],
    [
      { format: 'MatMulNBits', bits: 2, op_types_to_quantize: ['Gather'] },
      ['op_types_to_quantize/0'],
    ],
  ])('points at what %j cannot be', (parameters, expected) => {
    const found = pointers({ ...weights, ...parameters })
    expect(found).toEqual(expected.map((parameter) => `#/recipe/steps/0/${parameter}`))
  })

  const float8 = { activation_type: 'float8e4m3fn', weight_type: 'float8e4m3fn' }
  const eight = { type: 'quantize_static', ...float8 }

  it.each([
    [{ ...weights, bits: 2, format: 'QDQ' }, ['bits']],
    [{ ...eight, weight_type: 'int8' }, ['weight_type']],
    [{ ...eight, activation_type: 'uint8' }, ['activation_type']],
    [{ ...eight, format: 'QOperator', block_size: 32 }, ['format', 'block_size']],
  ])('%j excludes itself', (step, expected) => {
    const found = pointers(step, {}, 'job_request_invalid')
    expect(found).toEqual(expected.map((parameter) => `#/recipe/steps/0/${parameter}`))
  })

  it('refuses float8 for a CPU', () => {
    expect(pointers(eight)).toEqual(['#/target/device'])
    expect(pointers(eight, { device: 'cuda' })).toEqual([])
  })

  it.each([
    weights,
    { ...weights, bits: 2, op_types_to_quantize: ['Conv', 'ConvTranspose', 'Gather'] },
    { ...weights, bits: 4, format: 'QDQ', op_types_to_quantize: ['Conv', 'Gather'] },
    { type: 'quantize_dynamic', op_types_to_quantize: ['Conv'] },
    { type: 'convert_float16', op_block_list: ['Softmax'] },
  ])('takes %j', (step) => {
    expect(pointers(step)).toEqual([])
  })
})
