import type { EvaluationResult } from '@pare/evaluation'
import type { Diagnostic } from '@pare/graph'

import { ENGINE_VERSION } from '../engine-version.js'
import { errors } from '../errors.js'
import { type ConstraintCheck, type Report, REPORT_VERSION } from '../report/report.js'
import { summarize } from '../report/summarize.js'
import type { Json, JsonObject, StageContext, StageResult } from './stage.js'
import { readJsonInput, writeJson } from './stage-files.js'

/** What `prepare` and the quantize stages write as `decisions`. */
export interface Decisions {
  readonly layers: readonly JsonObject[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Gathers what the other stages found and judges the constraints.
 *
 * Inputs `original`, `result`, `preparation`, `decisions`, `evaluation`, `data`; params `recipe`,
 * `constraints`, `target`. Output `report`; fails the job with `constraint_unmet`, keeping the
 * result, when a constraint does not hold.
 */
export async function report(context: StageContext): Promise<StageResult> {
  const evaluation = await readJsonInput<EvaluationResult>(context, 'evaluation')
  const preparation = await readJsonInput<Decisions>(context, 'preparation')
  const decisions = await readJsonInput<Decisions>(context, 'decisions')
  const constraints = checkConstraints(context.params['constraints'], evaluation)
  const document: Report = {
    version: REPORT_VERSION,
    summary: summarize(evaluation, constraints),
    constraints,
    recipe: context.params['recipe'] ?? null,
    target: context.params['target'] ?? null,
    evaluation,
    layers: decisions.layers,
    diagnostics: [...preparation.diagnostics, ...decisions.diagnostics],
    lineage: Object.fromEntries(context.inputs.map(({ role, sha256 }) => [role, sha256])),
    engine_version: ENGINE_VERSION,
  }
  const unmet = constraints.filter(({ met }) => !met)
  return {
    outputs: [await writeJson(context, 'report', document)],
    metrics: headline(evaluation, constraints),
    ...(unmet.length === 0 ? {} : { failure: constraintUnmet(unmet) }),
  }
}

/** The few figures that lists and webhooks carry. */
function headline(
  { primary, ratios }: EvaluationResult,
  constraints: readonly ConstraintCheck[],
): JsonObject {
  return {
    metric: primary.name,
    original: primary.original,
    result: primary.result,
    drop: primary.drop,
    size_ratio: ratios.size,
    speed_ratio: ratios.speed,
    memory_ratio: ratios.memory,
    constraints_met: constraints.every(({ met }) => met),
  }
}

function checkConstraints(
  constraints: Json | undefined,
  { primary }: EvaluationResult,
): readonly ConstraintCheck[] {
  const limit = (constraints as { readonly max_drop?: number } | undefined)?.max_drop
  if (limit === undefined) return []
  const met = primary.drop !== null && primary.drop <= limit
  return [{ name: 'max_drop', limit, measured: primary.drop, met }]
}

function constraintUnmet(unmet: readonly ConstraintCheck[]) {
  const list = unmet.map(
    ({ name, limit, measured }) =>
      `${name} is ${limit} and ${measured === null ? 'an error appeared where there was none' : `the drop is ${measured.toPrecision(3)}`}`,
  )
  return errors
    .constraint_unmet(
      `${list.join('; ')}: the best candidate is kept among the artifacts; allow a larger drop, exclude the layers with the lowest SQNR (nodes_to_exclude), or calibrate on more data`,
      { details: { constraints: unmet } },
    )
    .toJSON()
}
