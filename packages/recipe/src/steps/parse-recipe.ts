// Turns the recipe of a request into typed steps with all defaults, or into a list of faults that
// each point at the element to change.
import type { RequestFault } from '../errors.js'
import { isRecord } from '../json.js'
import type { ParameterSpec, ParameterTable, StepSpec } from '../language/parameter.js'
import { contradictions } from './contradictions.js'
import type { Recipe, Step } from './recipe.js'
import { STEP_TABLE, STEP_TYPES } from './step-table.js'

const MAX_STEPS = 32

export function parseRecipe(input: unknown, faults: RequestFault[], pointer = '#/recipe'): Recipe {
  if (!isRecord(input) || !Array.isArray(input['steps'])) {
    faults.push({ pointer, code: 'recipe_malformed', detail: 'expected {"steps": [ … ]}' })
    return { steps: [] }
  }
  rejectUnknown(input, ['steps'], pointer, faults)
  const list: readonly unknown[] = input['steps']
  if (list.length === 0 || list.length > MAX_STEPS) {
    const detail = `a recipe has 1 to ${MAX_STEPS} steps, this one has ${list.length}`
    faults.push({ pointer: `${pointer}/steps`, code: 'recipe_length', detail })
  }
  const steps = list.map((step, i) => parseStep(step, faults, `${pointer}/steps/${i}`))
  return { steps: steps.filter((step) => step !== undefined) }
}

function parseStep(input: unknown, faults: RequestFault[], pointer: string): Step | undefined {
  if (!isRecord(input) || typeof input['type'] !== 'string') {
    faults.push({ pointer, code: 'step_malformed', detail: 'expected {"type": "…", … }' })
    return undefined
  }
  const { type, ...parameters } = input as { type: string }
  if (!isStepType(type)) {
    const detail = `unknown step "${type.slice(0, 64)}"; known steps: ${STEP_TYPES.join(', ')}`
    faults.push({ pointer: `${pointer}/type`, code: 'step_unknown', detail })
    return undefined
  }
  const spec: StepSpec = STEP_TABLE[type]
  const values = parseParameters(spec.parameters, parameters, faults, pointer)
  // The table describes exactly the fields of the step's type.
  const step = { type, ...values } as unknown as Step
  for (const { parameter, detail } of contradictions(step)) {
    faults.push({ pointer: `${pointer}/${parameter}`, code: 'parameter_contradiction', detail })
  }
  return step
}

function parseParameters(
  table: ParameterTable,
  input: Readonly<Record<string, unknown>>,
  faults: RequestFault[],
  pointer: string,
): Record<string, unknown> {
  rejectUnknown(input, Object.keys(table), pointer, faults)
  return Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [
      name,
      parseParameter(spec, input[name], faults, `${pointer}/${name}`),
    ]),
  )
}

function parseParameter(
  spec: ParameterSpec,
  value: unknown,
  faults: RequestFault[],
  pointer: string,
): unknown {
  if (spec.type === 'group') {
    const group = value ?? {}
    if (isRecord(group)) return parseParameters(spec.parameters, group, faults, pointer)
    faults.push({ pointer, code: 'parameter_invalid', detail: 'expected an object' })
    return {}
  }
  if (value === undefined) return spec.default
  const problem = problemWith(spec, value)
  if (problem === undefined) return value
  faults.push({ pointer, code: 'parameter_invalid', detail: problem })
  return spec.default
}

type ScalarSpec = Exclude<ParameterSpec, { readonly type: 'group' }>

function problemWith(spec: ScalarSpec, value: unknown): string | undefined {
  switch (spec.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected true or false'
    case 'choice':
      return spec.choices.some((choice) => choice === value)
        ? undefined
        : `expected one of ${spec.choices.map((choice) => JSON.stringify(choice)).join(', ')}`
    case 'integer':
    case 'number': {
      const isKind = spec.type === 'integer' ? Number.isInteger(value) : Number.isFinite(value)
      if (isKind && Number(value) >= spec.minimum && Number(value) <= spec.maximum) return undefined
      const kind = spec.type === 'integer' ? 'an integer' : 'a number'
      return `expected ${kind} from ${spec.minimum} to ${spec.maximum}`
    }
    case 'string_list':
      return isStringList(value) ? undefined : 'expected a list of at most 10000 strings'
  }
}

function rejectUnknown(
  input: Readonly<Record<string, unknown>>,
  known: readonly string[],
  pointer: string,
  faults: RequestFault[],
): void {
  for (const name of Object.keys(input)) {
    if (known.includes(name)) continue
    const detail = `unknown parameter; known here: ${known.join(', ')}`
    faults.push({ pointer: `${pointer}/${escapePointer(name)}`, code: 'parameter_unknown', detail })
  }
}

/** RFC 6901: `~` and `/` are escaped inside a reference token. */
function escapePointer(name: string): string {
  return encodeURIComponent(name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1'))
}

function isStepType(type: unknown): type is Step['type'] {
  return typeof type === 'string' && Object.hasOwn(STEP_TABLE, type)
}

function isStringList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= 10_000 &&
    value.every((item) => typeof item === 'string')
  )
}
