import type { PlannedArtifact, PlannedSource } from '@pare/recipe'

import type { StageParams } from '../stages/stage.js'
import { judgedOutputs, reportedMetric } from './choose-metric.js'
import type { PlanBasis } from './plan-basis.js'
import type { PlanScope } from './plan-scope.js'
import type { TakenStep, Working } from './working.js'

/** Evaluates the model that the steps have led to, and reports; gives what the job delivers. */
export function planEnd(working: Working, scope: PlanScope): readonly PlannedArtifact[] {
  const { model: result, prepared, preparation, trail, calibrated = {} } = working
  const { original, judgedData: data, basis } = scope
  const evaluate = scope.add({
    kind: 'evaluate',
    params: judgedOutputs(basis.judgedBy, basis.request.target),
    inputs: { original, prepared, result, data },
  })
  const evaluation = evaluate.output('evaluation')
  const report = scope.add({
    kind: 'report',
    params: reported(basis, trail),
    inputs: {
      ...{ original, result, preparation, evaluation, data, ...calibrated },
      decisions: byLabel(trail, ({ decisions }) => decisions),
      measurements: byLabel(trail, ({ measured }) => measured),
    },
  })
  return [
    { ...locate(result), kind: 'model', name: 'model.onnx' },
    { ...locate(report.output('report')), kind: 'report', name: 'report.json' },
    { ...locate(report.output('page')), kind: 'report', name: 'report.html' },
  ]
}

/** The request with its defaults: the report says how to repeat the job. */
function reported(basis: PlanBasis, trail: readonly TakenStep[]): StageParams<'report'> {
  const { request, datasets, judgedBy } = basis
  const { target, constraints, recipe } = request
  return {
    ...{ constraints, target, recipe },
    ...reportedMetric(judgedBy),
    datasets,
    steps: trail.map(({ label, step, round, kept }) => ({
      ...{ label, step, kept },
      ...(round === undefined ? {} : { round }),
    })),
  }
}

function byLabel(
  trail: readonly TakenStep[],
  read: (taken: TakenStep) => PlannedSource | undefined,
): Readonly<Record<string, PlannedSource>> {
  return Object.fromEntries(
    trail.flatMap((taken) => {
      const source = read(taken)
      return source === undefined ? [] : [[taken.label, source] as const]
    }),
  )
}

/** Nothing that a job delivers is an upload. */
function locate(source: PlannedSource): { readonly stage: string; readonly role: string } {
  if ('stage' in source) return source
  throw new Error('a job delivers what its stages made')
}
