import { CodedError } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import type { RequestFault } from '../errors.js'
import { parseJobRequest } from './parse-job-request.js'

const MINIMAL = { model: 'mdl_1', recipe: { steps: [{ type: 'quantize_static' }] } }

function faultsOf(body: unknown): readonly RequestFault[] {
  try {
    parseJobRequest(body)
  } catch (error) {
    if (error instanceof CodedError) return error.details['errors'] as RequestFault[]
    throw error
  }
  return []
}

describe('parseJobRequest', () => {
  it('fills in every default', () => {
    const request = parseJobRequest(MINIMAL)
    expect(request.target).toEqual({ device: 'cpu', isa: 'auto', threads: 1 })
    expect(request.priority).toBe('normal')
    expect(request.recipe.steps).toEqual([
      {
        type: 'quantize_static',
        calibration: {
          method: 'minmax',
          samples: 500,
          percentile: 99.99,
          moving_average_constant: 0.1,
          stop_below_drift: 0,
        },
        activation_type: 'uint8',
        weight_type: 'int8',
        per_channel: true,
        symmetric: false,
        reduce_range: 'auto',
        block_size: 0,
        format: 'QDQ',
        equalization: 'auto',
        smooth_quant: 'auto',
        smooth_quant_alpha: 0.5,
        bias_correction: 'auto',
        rounding: 'nearest',
        sensitivity: 'auto',
        fallback: 'float',
        op_types_to_quantize: [],
        nodes_to_exclude: [],
      },
    ])
  })

  it('points at an unknown step by its index', () => {
    const steps = [{ type: 'quantize_static' }, { type: 'quantise' }]
    expect(faultsOf({ ...MINIMAL, recipe: { steps } })).toMatchObject([
      { pointer: '#/recipe/steps/1/type', code: 'step_unknown' },
    ])
  })

  it('points into groups, and at parameters that do not exist', () => {
    const step = { type: 'quantize_static', calibration: { samples: 0 }, chanels: true }
    const pointers = faultsOf({ ...MINIMAL, recipe: { steps: [step] } }).map((f) => f.pointer)
    expect(pointers.sort()).toEqual([
      '#/recipe/steps/0/calibration/samples',
      '#/recipe/steps/0/chanels',
    ])
  })

  it('reports all faults of a body together', () => {
    const faults = faultsOf({ recipe: { steps: [] }, target: { threads: 0 }, prioritty: 'high' })
    expect(faults.map(({ pointer }) => pointer).sort()).toEqual([
      '#/model',
      '#/prioritty',
      '#/recipe/steps',
      '#/target/threads',
    ])
  })

  it.each([
    [{ weight_type: 'uint8', activation_type: 'int8' }, 'weight_type'],
    [{ weight_type: 'int16' }, 'weight_type'],
    [{ format: 'QOperator', activation_type: 'uint16' }, 'format'],
    [{ format: 'QOperator', block_size: 32 }, 'format'],
  ])('points at the parameter of %o that the others rule out', (parameters, name) => {
    const step = { type: 'quantize_static', ...parameters }
    expect(faultsOf({ ...MINIMAL, recipe: { steps: [step] } })).toMatchObject([
      { pointer: `#/recipe/steps/0/${name}`, code: 'parameter_contradiction' },
    ])
  })

  it('does not take an inherited property name for a step', () => {
    const recipe = { steps: [{ type: 'constructor' }] }
    expect(faultsOf({ ...MINIMAL, recipe })).toMatchObject([{ code: 'step_unknown' }])
  })

  it.each([null, 3, 'job', [], { model: 'm', recipe: 'auto' }])('refuses %j', (body) => {
    expect(() => parseJobRequest(body)).toThrow(CodedError)
  })
})
