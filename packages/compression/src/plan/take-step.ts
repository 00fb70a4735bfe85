import type { PlainStep } from '@pare/recipe'

import type { PlanScope } from './plan-scope.js'
import { planPlainStep } from './planners.js'
import type { Working } from './working.js'

/** Adds the stages of a step, and says where the model stands behind it. */
export function takeStep(step: PlainStep, working: Working, scope: PlanScope): Working {
  const { model, decisions, calibrated } = planPlainStep(step, working, scope)
  const { round } = scope
  const taken = {
    ...{ label: scope.label(step.type), step, decisions, kept: true },
    ...(round === undefined ? {} : { round }),
  }
  return {
    ...{ ...working, model, trail: [...working.trail, taken] },
    ...(calibrated === undefined ? {} : { calibrated }),
  }
}
