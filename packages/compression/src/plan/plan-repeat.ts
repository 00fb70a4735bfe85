// The loop: rounds that go further and further, each from the last result that held, until one breaks
// the constraint or the rounds are over. Whether a round held is read from the metrics of its
// `measure` stage, so a plan knows one round more each time that one has ended.
import { stepAt, type StepOf } from '@pare/recipe'

import { planMeasure } from './plan-measure.js'
import type { PlanScope } from './plan-scope.js'
import { takeStep } from './take-step.js'
import type { TakenStep, Working } from './working.js'

/** Where the model stands after the repeat; `undecided` while a round has not been measured. */
export function planRepeat(
  step: StepOf<'repeat'>,
  start: Working,
  scope: PlanScope,
): Working | 'undecided' {
  let held = start
  for (let round = 0; round < step.max_rounds; round++) {
    const fraction = step.max_rounds === 1 ? 1 : round / (step.max_rounds - 1)
    const { result, drop } = planRound(step, fraction, held, scope.nextRound())
    if (drop === undefined) return 'undecided'
    const { max_drop: limit = 0 } = scope.basis.request.constraints
    if (drop === null || drop > limit) {
      return round === 0 && start.trail.length === 0 ? result : rejectRound(held, result)
    }
    held = result
  }
  return held
}

interface Round {
  readonly result: Working
  /** Null: an error where there was none. Undefined: not measured yet. */
  readonly drop: number | null | undefined
}

function planRound(
  { steps }: StepOf<'repeat'>,
  fraction: number,
  held: Working,
  scope: PlanScope,
): Round {
  const { each_step: everywhere } = scope.basis.request.evaluation
  const stepped = steps.reduce((working, step, at) => {
    const place = scope.step(at + 1)
    const next = takeStep(stepAt(step, fraction), working, place)
    // Behind the last stands the measurement of the round.
    if (!everywhere || at === steps.length - 1) return next
    const measure = planMeasure(next.model, place, { judges: true })
    return measured(next, measure.output('measurement'))
  }, held)
  const measure = planMeasure(stepped.model, scope, { judges: true })
  const result = measured(stepped, measure.output('measurement'))
  const metrics = scope.metricsOf(measure)
  if (metrics === undefined) return { result, drop: undefined }
  const { drop } = metrics
  return { result, drop: typeof drop === 'number' ? drop : null }
}

/** The last step of the trail, with what was measured behind it. */
export function measured(working: Working, source: NonNullable<TakenStep['measured']>): Working {
  const last = working.trail.at(-1)
  if (last === undefined) throw new Error('nothing was done that could be measured')
  return { ...working, trail: [...working.trail.slice(0, -1), { ...last, measured: source }] }
}

/** The model that held, with the round that did not in its trail. */
function rejectRound(held: Working, result: Working): Working {
  const rejected = result.trail.slice(held.trail.length).map((taken) => ({ ...taken, kept: false }))
  return { ...held, trail: [...held.trail, ...rejected] }
}
