// Walks a table of parameters along a request: typed values with all defaults come out, and every
// fault with a pointer to the element to change.
import type { RequestFault } from '../errors.js'
import { isRecord } from '../json.js'
import { isText, problemWith, rangedProblemWith } from './check-scalar.js'
import type {
  GroupSpec,
  ListSpec,
  MapSpec,
  ParameterSpec,
  ParameterTable,
  RecipeSpec,
  ScalarSpec,
  StepSpec,
  StepsSpec,
} from './parameter.js'
import type { ParameterValues } from './parameter-value.js'

/** Where in a request the walk is. */
export interface Place {
  readonly pointer: string
  /** All faults found so far, of the whole request. */
  readonly faults: RequestFault[]
  /** What faults here are called: parameters of steps have codes of their own. */
  readonly inStep: boolean
  /** Whether numbers may be ranges. */
  readonly ranged: boolean
}

/** The values of a table; where `place.faults` grew, those in question are stand-ins. */
export function parseTable<Table extends ParameterTable>(
  table: Table,
  input: Readonly<Record<string, unknown>>,
  place: Place,
): ParameterValues<Table> {
  rejectUnknown(input, Object.keys(table), place)
  const values = Object.entries(table).flatMap(([name, spec]) => {
    const value = parseParameter(spec, name, input, below(place, name))
    return value === undefined ? [] : [[name, value] as const]
  })
  // The table describes exactly the fields of its type.
  return Object.fromEntries(values) as ParameterValues<Table>
}

function parseParameter(
  spec: ParameterSpec,
  name: string,
  input: Readonly<Record<string, unknown>>,
  place: Place,
): unknown {
  const value = Object.hasOwn(input, name) ? input[name] : undefined
  switch (spec.type) {
    case 'group':
      return parseGroup(spec, value, place)
    case 'list':
      return parseList(spec, value, place)
    case 'map':
      return parseMap(spec, value, place)
    case 'recipe':
      return parseRecipe(spec, value, place)
    case 'steps':
      return parseSteps(spec, value, place)
    default:
      return parseScalar(spec, value, { input, place })
  }
}

function parseScalar(
  spec: ScalarSpec,
  value: unknown,
  { input, place }: { readonly input: Readonly<Record<string, unknown>>; readonly place: Place },
): unknown {
  if (value === undefined) return absent(spec, input, place)
  const problem = place.ranged ? rangedProblemWith(spec, value) : problemWith(spec, value)
  if (problem === undefined) return value
  fault(place, 'invalid', problem)
  return 'default' in spec ? spec.default : undefined
}

function absent(spec: ScalarSpec, input: Readonly<Record<string, unknown>>, place: Place): unknown {
  if ('unless' in spec && spec.unless(input)) return undefined
  if (place.ranged && 'defaultRange' in spec) return spec.defaultRange
  if ('default' in spec) return spec.default
  if (spec.optional !== true) fault(place, 'required', 'this field is required')
  return undefined
}

function parseGroup(spec: GroupSpec, value: unknown, place: Place): unknown {
  if (value === undefined && spec.optional === true) return undefined
  const group = value ?? {}
  if (value !== null && isRecord(group)) return parseTable(spec.parameters, group, place)
  fault(place, 'invalid', 'expected an object')
  return parseTable(spec.parameters, {}, { ...place, faults: [] })
}

function parseList(spec: ListSpec, value: unknown, place: Place): unknown {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.length > spec.maxItems) {
    fault(place, 'invalid', `expected a list of 1 to ${spec.maxItems} objects`)
    return undefined
  }
  return value.map((item: unknown, i) => {
    const at = below(place, String(i))
    if (isRecord(item)) return parseTable(spec.parameters, item, at)
    fault(at, 'invalid', 'expected an object')
    return {}
  })
}

function parseMap(spec: MapSpec, value: unknown, place: Place): Record<string, string> {
  if (value === undefined) return {}
  if (!isRecord(value)) {
    fault(place, 'invalid', 'expected an object')
    return {}
  }
  const entries = Object.entries(value)
  if (entries.length > spec.maxEntries) fault(place, 'too_many', `at most ${spec.maxEntries} names`)
  const valid = entries.flatMap(([name, text]) => {
    if (isText(text, { minLength: 1, maxLength: spec.maxLength })) return [[name, text] as const]
    const problem = `expected a string of 1 to ${spec.maxLength} characters`
    fault(below(place, name), 'invalid', problem)
    return []
  })
  return Object.fromEntries(valid)
}

function parseRecipe(spec: RecipeSpec, value: unknown, place: Place): unknown {
  if (isRecord(value) && Array.isArray(value['steps'])) {
    return parseTable(spec.parameters, value, { ...place, inStep: true })
  }
  fault(place, 'recipe_malformed', 'expected {"steps": [ … ]}')
  return { steps: [] }
}

function parseSteps(spec: StepsSpec, value: unknown, place: Place): readonly unknown[] {
  if (!Array.isArray(value)) {
    fault(place, 'steps_malformed', 'expected a list of steps: [{"type": "…", … }, … ]')
    return []
  }
  const { length } = value
  if (length === 0 || length > spec.maxItems) {
    const detail = `1 to ${spec.maxItems} steps are expected here, there are ${length}`
    fault(place, 'recipe_length', detail)
  }
  const inside = { ...place, inStep: true, ranged: spec.ranged }
  return value
    .map((step: unknown, i) => parseStep(spec, step, below(inside, String(i))))
    .filter((step) => step !== undefined)
}

function parseStep({ table }: StepsSpec, input: unknown, place: Place): unknown {
  if (!isRecord(input) || typeof input['type'] !== 'string') {
    fault(place, 'step_malformed', 'expected {"type": "…", … }')
    return undefined
  }
  const { type, ...parameters } = input
  const row = Object.hasOwn(table, input['type']) ? table[input['type']] : undefined
  if (row === undefined) {
    const known = Object.keys(table).join(', ')
    const detail = `unknown step "${input['type'].slice(0, 64)}"; known steps here: ${known}`
    fault(below(place, 'type'), 'step_unknown', detail)
    return undefined
  }
  const before = place.faults.length
  const values = parseTable(row.parameters, parameters, place)
  // Stand-ins for what is wrong contradict nobody.
  if (place.faults.length === before) reportContradictions(row, values, place)
  return { type, ...values }
}

function reportContradictions(row: StepSpec, values: object, place: Place): void {
  for (const { parameter, detail } of row.contradictions?.(values) ?? []) {
    const pointer = `${place.pointer}/${parameter}`
    place.faults.push({ pointer, code: 'parameter_contradiction', detail })
  }
}

function rejectUnknown(
  input: Readonly<Record<string, unknown>>,
  known: readonly string[],
  place: Place,
): void {
  const what = place.inStep ? 'parameter' : 'field'
  for (const name of Object.keys(input)) {
    if (known.includes(name)) continue
    fault(below(place, name), 'unknown', `unknown ${what}; known here: ${known.join(', ')}`)
  }
}

const CODES_IN_STEPS: Readonly<Record<string, string>> = {
  invalid: 'parameter_invalid',
  unknown: 'parameter_unknown',
  required: 'parameter_required',
}
const CODES: Readonly<Record<string, string>> = { unknown: 'unknown_field' }

function fault({ pointer, faults, inStep }: Place, code: string, detail: string): void {
  const codes = inStep ? CODES_IN_STEPS : CODES
  faults.push({ pointer, code: codes[code] ?? code, detail })
}

function below(place: Place, name: string): Place {
  return { ...place, pointer: `${place.pointer}/${escapePointer(name)}` }
}

/** RFC 6901: `~` and `/` are escaped inside a reference token. */
function escapePointer(name: string): string {
  const token = name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
  // Half a surrogate pair, cut or sent, is no URI.
  return encodeURIComponent(token.replaceAll(/\p{Surrogate}/gu, '\ufffd'))
}
