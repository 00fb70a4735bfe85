import type { JobPlan } from '@pare/recipe'

import { errors } from './errors.js'

/** The planner's promises that the state machine relies on. */
export function checkPlan(plan: JobPlan): void {
  const seen = new Set<string>()
  for (const { name, inputs } of plan.stages) {
    if (new Set(inputs.map(({ role }) => role)).size < inputs.length) {
      throw errors.plan_invalid(`stage "${name}" has two inputs of one role`)
    }
    for (const { from } of inputs) {
      if ('stage' in from && !seen.has(from.stage)) {
        throw errors.plan_invalid(
          `stage "${name}" takes from "${from.stage}", which is not before it`,
        )
      }
    }
    if (seen.has(name)) throw errors.plan_invalid(`two stages are named "${name}"`)
    seen.add(name)
  }
  const unknown = plan.artifacts.find(({ stage }) => !seen.has(stage))
  if (unknown !== undefined) {
    throw errors.plan_invalid(`artifact "${unknown.name}" is taken from an unknown stage`)
  }
}
