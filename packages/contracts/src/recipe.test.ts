import { CodedError } from '@pare/errors'
import { parseJobRequest, type RequestFault, STEP_TABLE } from '@pare/recipe'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { describe, expect, it } from 'vitest'

import { Recipe } from './recipe.js'

const documented = Compile(Recipe)

/** A schema says what each parameter may be, not which of them exclude each other. */
function isParsed(recipe: unknown): boolean {
  try {
    parseJobRequest({ model: 'mdl_1', recipe })
    return true
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const faults = error.details['errors'] as RequestFault[]
    return faults.every(({ code }) => code === 'parameter_contradiction')
  }
}

const value = fc.oneof(
  fc.constantFrom('int8', 'uint8', 'minmax', 'QDQ', 'auto', true, false, 1, 500, 0, -1, 1.5),
  fc.array(fc.constantFrom('Conv', 'MatMul', 7), { maxLength: 2 }),
  fc.record({ method: fc.constantFrom('minmax', 'none'), samples: fc.constantFrom(1, 0, 'many') }),
)

const names = [
  ...new Set(Object.values(STEP_TABLE).flatMap(({ parameters }) => Object.keys(parameters))),
  'unknown',
]

const step = fc
  .tuple(
    fc.constantFrom(...Object.keys(STEP_TABLE), 'shrink'),
    fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 2 }),
  )
  .map(([type, parameters]) => ({ type, ...parameters }))

describe('the documented recipe', () => {
  it('accepts exactly what the parser accepts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2 }), (steps) => {
        expect(documented.Check({ steps })).toBe(isParsed({ steps }))
      }),
      { numRuns: 2000, seed: 1 },
    )
  })

  it.each([{}, { steps: 1 }, { steps: [{}] }, { steps: [], more: 1 }, null])(
    'refuses %j as the parser does',
    (recipe) => {
      expect(documented.Check(recipe)).toBe(false)
      expect(isParsed(recipe)).toBe(false)
    },
  )
})
