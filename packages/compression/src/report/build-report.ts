// Everything that the stages of a job found, put together. No figure is made here.
import type { CalibrationStatistics, DataQuality } from '@pare/calibration'
import type { EvaluationResult } from '@pare/evaluation'
import type { Diagnostic } from '@pare/graph'
import type { JsonObject } from '@pare/recipe'

import { ENGINE_VERSION } from '../engine-version.js'
import type { StageInput, StageParams } from '../stages/stage.js'
import { layerRows } from './layer-rows.js'
import { leftOut } from './left-out.js'
import { rangeRows } from './range-rows.js'
import {
  type ConstraintCheck,
  type Report,
  REPORT_VERSION,
  type SensitivityRow,
  type TriedRow,
} from './report.js'
import { reproduce } from './reproduce.js'
import { summarize } from './summarize.js'

/** What `prepare` and the quantize stages write as `decisions`. */
export interface Decisions {
  readonly layers: readonly JsonObject[]
  readonly diagnostics: readonly Diagnostic[]
  readonly tried?: readonly TriedRow[]
  readonly sensitivity?: readonly SensitivityRow[]
}

export interface ReportInput {
  readonly params: StageParams<'report'>
  readonly seed: number
  readonly inputs: readonly StageInput[]
  readonly evaluation: EvaluationResult
  readonly preparation: Decisions
  readonly decisions: Decisions
  readonly statistics?: CalibrationStatistics
  readonly dataQuality?: DataQuality
}

export function buildReport(input: ReportInput): Report {
  const { params, evaluation, preparation, decisions, statistics, dataQuality } = input
  const { op_types, ...measured } = evaluation
  const { layers, tried = [], sensitivity = [] } = decisions
  const constraints = checkConstraints(params, evaluation)
  const rows = layerRows(layers, evaluation)
  const said = [...preparation.diagnostics, ...decisions.diagnostics]
  return {
    version: REPORT_VERSION,
    summary: summarize(evaluation, constraints),
    constraints,
    recipe: params.recipe,
    target: params.target,
    evaluation: measured,
    ...(params.metric_reason === undefined ? {} : { metric_reason: params.metric_reason }),
    layers: rows,
    op_types,
    ...(tried.length === 0 ? {} : { tried }),
    ...(sensitivity.length === 0 ? {} : { sensitivity }),
    ...(statistics === undefined ? {} : { ranges: rangeRows(statistics, layers) }),
    ...(dataQuality === undefined ? {} : { data_quality: dataQuality }),
    diagnostics: [...said, ...leftOut(rows, said), ...(dataQuality?.diagnostics ?? [])],
    reproduce: reproduce({ ...input, environment: evaluation.environment }),
    lineage: Object.fromEntries(input.inputs.map(({ role, sha256 }) => [role, sha256])),
    engine_version: ENGINE_VERSION,
  }
}

function checkConstraints(
  { constraints }: StageParams<'report'>,
  { primary }: EvaluationResult,
): readonly ConstraintCheck[] {
  const limit = constraints.max_drop
  if (limit === undefined) return []
  const met = primary.drop !== null && primary.drop <= limit
  return [{ name: 'max_drop', limit, measured: primary.drop, met }]
}
