import { CodedError } from '@pare/errors'
import {
  CALL_TABLE,
  parseJobCreate,
  REQUEST_TABLE,
  type RequestFault,
  STEP_TABLE,
} from '@pare/recipe'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { describe, expect, it } from 'vitest'

import { JobCreate } from './job.js'
import { Recipe } from './recipe.js'

const documented = Compile({ 'Recipe#': Recipe }, JobCreate)

/** A schema says what each member may be, not which of them exclude or need each other. */
function isParsed(body: unknown): boolean {
  try {
    parseJobCreate(body)
    return true
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    if (error.code === 'recipe_invalid') return true
    const faults = error.details['errors'] as RequestFault[] | undefined
    return faults?.every(({ code }) => code === 'parameter_contradiction') ?? false
  }
}

const text = fc.constantFrom('', 'a', 'mdl_1', 'x'.repeat(64), 'x'.repeat(256), 'x'.repeat(257))
const words = fc.constantFrom(
  ...['int8', 'uint8', 'minmax', 'QDQ', 'auto', 'top1', 'cuda', 'high', '2:4', 'layer'],
)
const scalar = fc.oneof(
  words,
  text,
  fc.constantFrom(true, false, null, 1, 500, 0, -1, 1.5, 0.5, 0.01, 2 ** 32, 1e9),
)
const range = fc.record(
  { from: fc.constantFrom(0, 0.3, 1, 'a'), to: fc.constantFrom(0.5, 0.95, 2), more: scalar },
  { requiredKeys: [] },
)
const value = fc.oneof(
  { arbitrary: scalar, weight: 3 },
  fc.array(fc.constantFrom('Conv', 'MatMul', 7), { maxLength: 2 }),
  fc.record({ method: fc.constantFrom('minmax', 'none'), samples: fc.constantFrom(1, 0, 'many') }),
  range,
)

const namesIn = (tables: readonly object[]) => [...new Set(tables.flatMap(Object.keys)), 'unknown']

/** Steps without steps inside: for recipes and for what a repeat holds. */
const step = fc
  .tuple(
    fc.constantFrom(...Object.keys(STEP_TABLE), 'shrink'),
    fc.dictionary(
      fc.constantFrom(...namesIn(Object.values(STEP_TABLE).map(({ parameters }) => parameters))),
      value,
      { maxKeys: 2 },
    ),
  )
  .map(([type, parameters]) => ({ type, ...parameters }))

const repeat = fc.record(
  {
    type: fc.constant('repeat'),
    steps: fc.array(step, { maxLength: 2 }),
    max_rounds: fc.constantFrom(1, 8, 32, 33, 0),
  },
  { requiredKeys: ['type', 'steps'] },
)
const recipe = fc.record(
  { steps: fc.array(fc.oneof(step, repeat), { maxLength: 2 }), more: scalar },
  { requiredKeys: ['steps'] },
)

const groups = Object.values(REQUEST_TABLE).flatMap((spec) =>
  spec.type === 'group' ? [spec.parameters] : [],
)
const group = fc.dictionary(fc.constantFrom(...namesIn(groups)), value, { maxKeys: 2 })
const members = fc.dictionary(
  fc.constantFrom(...namesIn([REQUEST_TABLE, CALL_TABLE])),
  fc.oneof({ arbitrary: group, weight: 3 }, value),
  { maxKeys: 3 },
)

const MINIMAL = { model: 'mdl_1', recipe: { steps: [{ type: 'quantize_dynamic' }] } }

function expectAgreement(body: unknown): void {
  expect(documented.Check(body), JSON.stringify(body)).toBe(isParsed(body))
}

describe('the documented request', () => {
  it('accepts exactly the recipes that the parser accepts', () => {
    const property = fc.property(recipe, (made) =>
      expectAgreement({ model: 'mdl_1', recipe: made }),
    )
    fc.assert(property, { numRuns: 4000, seed: 1 })
  })

  it('accepts exactly the bodies around them that the parser accepts', () => {
    const property = fc.property(members, (made) => expectAgreement({ ...MINIMAL, ...made }))
    fc.assert(property, { numRuns: 8000, seed: 1 })
  })

  it.each([
    ...[{}, { steps: 1 }, { steps: [{}] }, { steps: [], more: 1 }, null].map((bad) => ({
      ...MINIMAL,
      recipe: bad,
    })),
    ...[{ recipe: MINIMAL.recipe }, { model: 'mdl_1' }, null, 3, []],
  ])('refuses %j as the parser does', (body) => {
    expect(documented.Check(body)).toBe(false)
    expect(isParsed(body)).toBe(false)
  })

  it.each([
    MINIMAL,
    { ...MINIMAL, labels: { team: 'vision' }, client_job_id: 'a', validate_only: true },
    { ...MINIMAL, recipe: { steps: [{ type: 'repeat', steps: [{ type: 'prune_weights' }] }] } },
    {
      ...MINIMAL,
      recipe: {
        steps: [
          {
            type: 'repeat',
            steps: [{ type: 'prune_weights', sparsity: { from: 0.1, to: 0.9 } }],
            max_rounds: 4,
          },
        ],
      },
    },
  ])('accepts %j as the parser does', (body) => {
    expect(documented.Check(body)).toBe(true)
    expect(isParsed(body)).toBe(true)
  })
})
