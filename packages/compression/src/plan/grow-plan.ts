// The planner: the steps of a recipe become stages, one after the other, as far as they are decided.
import { isDeepStrictEqual } from 'node:util'

import type { FinishedStage, JobPlan } from '@pare/recipe'

import { ENGINE_VERSION } from '../engine-version.js'
import { errors } from '../errors.js'
import type { StageKind } from '../stages/stage-table.js'
import { type PlanBasis, readBasis, storeBasis } from './plan-basis.js'
import { planEnd } from './plan-end.js'
import { planMeasure } from './plan-measure.js'
import { measured, planRepeat } from './plan-repeat.js'
import { type MetricsOf, metricsOf, PlanScope } from './plan-scope.js'
import { planStart } from './plan-start.js'
import { takeStep } from './take-step.js'
import type { Working } from './working.js'

/** The plan of a job of which nothing has run. */
export function firstPlan(basis: PlanBasis): JobPlan<StageKind> {
  return planFrom(basis, [])
}

/** See GrowPlan. */
export function growPlan(plan: JobPlan, finished: readonly FinishedStage[]): JobPlan<StageKind> {
  const grown = planFrom(readBasis(plan.basis), finished)
  const same = grown.stages.slice(0, plan.stages.length)
  if (!isDeepStrictEqual(same, plan.stages)) {
    throw errors.plan_changed(
      'the planner would not have made this plan: it was updated while the job ran; retry the job',
    )
  }
  // Its stages are of one engine; a plan without any is made anew.
  return plan.stages.length === 0 ? grown : { ...grown, engineVersion: plan.engineVersion }
}

function planFrom(basis: PlanBasis, finished: readonly FinishedStage[]): JobPlan<StageKind> {
  const { scope, working } = walk(basis, metricsOf(finished))
  const end = working === 'undecided' ? undefined : planEnd(working, scope)
  return {
    basis: storeBasis(basis),
    stages: scope.stages,
    isComplete: end !== undefined,
    expectedStages: end === undefined ? longest(basis, finished) : scope.stages.length,
    artifacts: end ?? [],
    engineVersion: ENGINE_VERSION,
    seed: basis.request.seed,
  }
}

interface Walked {
  readonly scope: PlanScope
  readonly working: Working | 'undecided'
}

function walk(basis: PlanBasis, metrics: MetricsOf): Walked {
  const scope = PlanScope.ofJob(basis, metrics)
  const { steps } = basis.request.recipe
  let working: Working = planStart(scope)
  for (const [at, step] of steps.entries()) {
    const place = scope.step(at + 1)
    const next =
      step.type === 'repeat' ? planRepeat(step, working, place) : takeStep(step, working, place)
    if (next === 'undecided') return { scope, working: next }
    // Behind the last step stands the evaluation, behind a round its own measurement.
    const isMeasured = at === steps.length - 1 || step.type === 'repeat'
    working = isMeasured
      ? next
      : measured(next, planMeasure(next.model, place, { judges: false }).output('measurement'))
  }
  return { scope, working }
}

/** The number of stages if every round held. */
function longest(basis: PlanBasis, finished: readonly FinishedStage[]): number {
  const known = metricsOf(finished)
  const { scope, working } = walk(basis, (stage) => known(stage) ?? HOLDS)
  if (working === 'undecided')
    throw new Error('a plan cannot be undecided when everything is known')
  planEnd(working, scope)
  return scope.stages.length
}

const HOLDS = { drop: -Infinity }
