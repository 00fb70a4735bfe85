// One row per type of step: which stages it becomes.
import type { PlainStep, StepOf } from '@pare/recipe'

import type { OutputRole } from '../stages/stage.js'
import type { StageKind } from '../stages/stage-table.js'
import { calibrates } from './needs-calibration.js'
import { planQuantizeStatic } from './plan-quantize-static.js'
import type { PlanScope } from './plan-scope.js'
import type { StageRef } from './stage-list.js'
import type { Stepped, StepPlanner } from './step-planner.js'
import type { Working } from './working.js'

type PlainType = PlainStep['type']

const PLANNERS: { readonly [Type in PlainType]: StepPlanner<StepOf<Type>> } = {
  cluster_weights: ({ type, ...params }, { model }, scope) =>
    steppedBy(scope.add({ kind: type, params, inputs: { model } })),

  convert_float16: ({ type, ...params }, { model, shapes }, scope) =>
    steppedBy(scope.add({ kind: type, params, inputs: { model, shapes } })),

  prune_weights: ({ type, ...params }, { model }, scope) =>
    steppedBy(scope.add({ kind: type, params, inputs: { model } })),

  quantize_dynamic: ({ type, ...options }, { model }, scope) => {
    const params = { ...options, isa: scope.basis.request.target.isa }
    return steppedBy(scope.add({ kind: type, params, inputs: { model } }))
  },

  quantize_static: planQuantizeStatic,

  quantize_weights: (step, { model, shapes }, scope) => {
    const { type, ...params } = step
    const calibration = calibrates(step) ? scope.requiredDataset('calibration') : undefined
    return steppedBy(scope.add({ kind: type, params, inputs: { model, shapes, calibration } }))
  },
}

/** Adds the stages of a step that changes a model once. */
export function planPlainStep(step: PlainStep, working: Working, scope: PlanScope): Stepped {
  return planOfType(step.type, step, working, scope)
}

function planOfType<Type extends PlainType>(
  type: Type,
  step: StepOf<Type>,
  working: Working,
  scope: PlanScope,
): Stepped {
  return PLANNERS[type](step, working, scope)
}

type ChangesModel = {
  [Kind in StageKind]: 'model' | 'decisions' extends OutputRole<Kind> ? Kind : never
}[StageKind]

function steppedBy<Kind extends ChangesModel>(stage: StageRef<Kind>): Stepped {
  return { model: stage.output('model'), decisions: stage.output('decisions') }
}
