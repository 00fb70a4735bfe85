import { isRange } from '../language/check-scalar.js'
import type { ParameterTable, Range } from '../language/parameter.js'
import { PLAIN_STEP_TABLE } from './plain-step-table.js'
import type { PlainStep, RangedStep } from './recipe.js'

/**
 * The step of one round: every range becomes the number that stands at `fraction` of it (0: `from`,
 * 1: `to`), rounded to 1e-6, of an integer to the nearest.
 */
export function stepAt(step: RangedStep, fraction: number): PlainStep {
  const { parameters } = PLAIN_STEP_TABLE[step.type]
  // Only numbers change, and only to what their row admits: both ends were checked.
  return { type: step.type, ...valuesAt(parameters, step, fraction) } as PlainStep
}

function valuesAt(
  table: ParameterTable,
  values: Readonly<Record<string, unknown>>,
  fraction: number,
): Readonly<Record<string, unknown>> {
  const resolved = Object.entries(table).flatMap(([name, spec]) => {
    const value = values[name]
    if (value === undefined) return []
    if (spec.type === 'group') {
      const group = value as Readonly<Record<string, unknown>>
      return [[name, valuesAt(spec.parameters, group, fraction)] as const]
    }
    if (!isRange(value)) return [[name, value] as const]
    return [[name, numberAt(value, fraction, spec.type === 'integer' ? 1 : 1e6)] as const]
  })
  return Object.fromEntries(resolved)
}

function numberAt({ from, to }: Range, fraction: number, perUnit: number): number {
  const rounded = Math.round((from + (to - from) * fraction) * perUnit) / perUnit
  // Rounding must not leave the range: its ends may be closer than that to what is not allowed.
  return Math.min(Math.max(rounded, Math.min(from, to)), Math.max(from, to))
}
