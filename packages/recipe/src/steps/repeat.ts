import { isRecord } from '../json.js'
import { isRange } from '../language/check-scalar.js'
import { FORMS } from '../language/form.js'
import type {
  Contradiction,
  NumberSpec,
  ParameterTable,
  Range,
  StepSpec,
} from '../language/parameter.js'
import type { ParameterValues } from '../language/parameter-value.js'
import { PLAIN_STEP_TABLE } from './plain-step-table.js'

const parameters = {
  steps: {
    type: 'steps',
    table: PLAIN_STEP_TABLE,
    ranged: true,
    maxItems: 8,
    description:
      'What one round does. A number may be a range {"from": …, "to": …}, which the rounds walk; left out, it is the range of the step where it has one (prune_weights: sparsity from 0.3 to 0.95).',
  },
  max_rounds: {
    type: 'integer',
    minimum: 1,
    maximum: 32,
    default: 8,
    description: 'How many rounds at most, each with its share of the ranges.',
  },
} as const satisfies ParameterTable

function contradictions({ steps }: ParameterValues<typeof parameters>): readonly Contradiction[] {
  const ranges = steps.flatMap((step, i) =>
    rangesIn(PLAIN_STEP_TABLE[step.type].parameters, step, `steps/${i}`),
  )
  if (steps.length > 0 && ranges.length === 0) {
    const detail =
      'nothing changes from round to round: give a number inside a range {"from": …, "to": …}, or leave out the sparsity of prune_weights'
    return [{ parameter: 'steps', detail }]
  }
  return ranges.flatMap(({ parameter, range, spec }) => {
    const detail = rangeProblem(range, spec)
    return detail === undefined ? [] : [{ parameter, detail }]
  })
}

function rangeProblem({ from, to }: Range, { furtherBy }: NumberSpec): string | undefined {
  if (from === to) return 'the range begins where it ends; write the number alone'
  if (furtherBy === undefined || furtherBy === (from < to ? 'rising' : 'falling')) return undefined
  return `rounds go further with a ${furtherBy} range: write {"from": ${to}, "to": ${from}}`
}

interface FoundRange {
  /** Its path below the repeat. */
  readonly parameter: string
  readonly range: Range
  readonly spec: NumberSpec
}

/** All ranges among parsed values, those in groups too. */
function rangesIn(table: ParameterTable, values: object, path: string): readonly FoundRange[] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const spec = table[name]
    const parameter = `${path}/${name}`
    if (spec?.type === 'group' && isRecord(value))
      return rangesIn(spec.parameters, value, parameter)
    if (spec?.type !== 'integer' && spec?.type !== 'number') return []
    return isRange(value) ? [{ parameter, range: value, spec }] : []
  })
}

export const repeat = {
  description:
    'Does its steps again and again, each round further along its ranges and from the last result that held, until constraints.max_drop would break; the last result that held is delivered.',
  // What its steps take and give is what it takes and gives, and what they make of a layer is theirs.
  takes: FORMS,
  gives: 'same',
  makes: [],
  parameters,
  needsConstraint: 'max_drop',
  contradictions,
} as const satisfies StepSpec
