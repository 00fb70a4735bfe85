import { CodedError } from '@pare/errors'
import { describe, expect, it } from 'vitest'

import type { RequestFault } from '../errors.js'
import { parseJobRequest } from '../request/parse-job-request.js'
import type { RangedStep, Step } from './recipe.js'
import { stepAt } from './step-at.js'

const CONSTRAINTS = { max_drop: 0.01 }

function parse(step: object, constraints: object = CONSTRAINTS): Step {
  const request = parseJobRequest({ model: 'mdl_1', recipe: { steps: [step] }, constraints })
  return request.recipe.steps[0]!
}

function faultsOf(step: object, constraints?: object): readonly RequestFault[] {
  try {
    parse(step, constraints)
    return []
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return error.details['errors'] as readonly RequestFault[]
  }
}

const repeat = (...steps: readonly object[]) => ({ type: 'repeat', steps })

/** The only step of the only repeat, parsed. */
function inner(step: object): RangedStep {
  const parsed = parse(repeat(step))
  if (parsed.type !== 'repeat') throw new Error(parsed.type)
  return parsed.steps[0]!
}

describe('prune_weights', () => {
  const prune = { type: 'prune_weights' }

  it('has one of sparsity, threshold and pattern', () => {
    expect(parse(prune)).toEqual({
      type: 'prune_weights',
      sparsity: 0.5,
      scope: 'adaptive',
      pattern: 'unstructured',
      criterion: 'magnitude',
      op_types_to_prune: [],
      nodes_to_exclude: [],
    })
    expect(parse({ ...prune, threshold: 0.01 })).not.toHaveProperty('sparsity')
    expect(parse({ ...prune, pattern: '2:4' })).not.toHaveProperty('sparsity')
  })

  it('is parsed to itself', () => {
    for (const parameters of [{}, { threshold: 0.01 }, { pattern: '2:4' }, { sparsity: 0.9 }]) {
      const parsed = parse({ ...prune, ...parameters })
      expect(parse(parsed)).toEqual(parsed)
    }
  })

  it.each([
    [{ sparsity: 0.5, threshold: 0.1 }, 'threshold', 'parameter_contradiction'],
    [{ sparsity: 0.5, pattern: '2:4' }, 'sparsity', 'parameter_contradiction'],
    [{ threshold: 0.5, pattern: '2:4' }, 'threshold', 'parameter_contradiction'],
    [{ sparsity: 0 }, 'sparsity', 'parameter_invalid'],
    [{ sparsity: 1 }, 'sparsity', 'parameter_invalid'],
    [{ threshold: 0 }, 'threshold', 'parameter_invalid'],
    [{ pattern: '5:4' }, 'pattern', 'parameter_invalid'],
    [{ op_types_to_prune: ['Conv', 'Relu'] }, 'op_types_to_prune', 'parameter_invalid'],
    [{ sparsity: { from: 0.1, to: 0.2 } }, 'sparsity', 'parameter_invalid'],
  ])('refuses %j', (parameters, name, code) => {
    expect(faultsOf({ ...prune, ...parameters })).toMatchObject([
      { pointer: `#/recipe/steps/0/${name}`, code },
    ])
  })
})

describe('repeat', () => {
  it('walks the range of its step where none is given', () => {
    expect(inner({ type: 'prune_weights' })).toMatchObject({ sparsity: { from: 0.3, to: 0.95 } })
    const own = { from: 0.5, to: 0.6 }
    expect(inner({ type: 'prune_weights', sparsity: own })).toMatchObject({ sparsity: own })
    const clusters = { from: 64, to: 4 }
    expect(inner({ type: 'cluster_weights', clusters })).toMatchObject({ clusters })
    const threshold = { from: 0.01, to: 0.1 }
    expect(inner({ type: 'prune_weights', threshold })).not.toHaveProperty('sparsity')
  })

  it('is parsed to itself', () => {
    const parsed = parse(repeat({ type: 'prune_weights' }))
    expect(parse(parsed)).toEqual(parsed)
  })

  it.each([
    [{ type: 'prune_weights', sparsity: 0.5 }, 'steps', 'parameter_contradiction'],
    [{ type: 'prune_weights', pattern: '2:4' }, 'steps', 'parameter_contradiction'],
    [
      { type: 'prune_weights', sparsity: { from: 0.5, to: 0.5 } },
      'steps/0/sparsity',
      'parameter_contradiction',
    ],
    [
      { type: 'prune_weights', sparsity: { from: 0.5, to: 0.2 } },
      'steps/0/sparsity',
      'parameter_contradiction',
    ],
    [
      { type: 'cluster_weights', clusters: { from: 4, to: 64 } },
      'steps/0/clusters',
      'parameter_contradiction',
    ],
    [
      { type: 'prune_weights', sparsity: { from: 0.5, to: 1 } },
      'steps/0/sparsity',
      'parameter_invalid',
    ],
    [repeat({ type: 'prune_weights' }), 'steps/0/type', 'step_unknown'],
  ])('refuses %j inside', (step, name, code) => {
    expect(faultsOf(repeat(step))).toMatchObject([{ pointer: `#/recipe/steps/0/${name}`, code }])
  })

  it('is where ranges stand, and says so of others', () => {
    const sparsity = { from: 0.2, to: 0.5 }
    expect(faultsOf({ type: 'prune_weights', sparsity })).toMatchObject([
      {
        detail: expect.stringMatching(/below 1; a range stands in the steps of a repeat/) as string,
      },
    ])
  })

  it('needs steps, and the constraint that ends it', () => {
    expect(faultsOf(repeat())).toMatchObject([
      { pointer: '#/recipe/steps/0/steps', code: 'recipe_length' },
    ])
    expect(faultsOf({ type: 'repeat' })).toMatchObject([{ pointer: '#/recipe/steps/0/steps' }])
    expect(faultsOf(repeat({ type: 'prune_weights' }), {})).toMatchObject([
      { pointer: '#/constraints/max_drop', code: 'constraint_required' },
    ])
  })
})

describe('stepAt', () => {
  it('gives the number at a fraction of the range, rounded', () => {
    const step = inner({ type: 'prune_weights', sparsity: { from: 0.3, to: 0.95 } })
    const at = (fraction: number) => stepAt(step, fraction)
    expect(at(0)).toMatchObject({ sparsity: 0.3, scope: 'adaptive' })
    expect(at(1)).toMatchObject({ sparsity: 0.95 })
    expect(at(1 / 7)).toMatchObject({ sparsity: 0.392857 })
  })

  it('reaches into groups, keeps integers whole and leaves the rest alone', () => {
    const step = parse({ type: 'quantize_static' })
    if (step.type !== 'quantize_static') throw new Error(step.type)
    const calibration = { ...step.calibration, samples: { from: 10, to: 20 } }
    const resolved = { ...step, calibration: { ...calibration, samples: 13 } }
    expect(stepAt({ ...step, calibration }, 0.26)).toEqual(resolved)
  })

  it('never leaves the range', () => {
    const step = inner({ type: 'prune_weights', sparsity: { from: 0.3, to: 0.99999999 } })
    expect(stepAt(step, 1)).toMatchObject({ sparsity: 0.99999999 })
  })
})
