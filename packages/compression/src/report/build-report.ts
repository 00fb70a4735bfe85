// Everything that the stages of a job found, put together. No figure is made here.
import type { CalibrationStatistics, DataQuality } from '@pare/calibration'
import type { EvaluationResult } from '@pare/evaluation'

import { ENGINE_VERSION } from '../engine-version.js'
import type { StageInput, StageParams } from '../stages/stage.js'
import type { Decisions } from './decisions.js'
import { layerRows } from './layer-rows.js'
import { leftOut } from './left-out.js'
import { rangeRows } from './range-rows.js'
import { type ConstraintCheck, type Report, REPORT_VERSION } from './report.js'
import { reproduce } from './reproduce.js'
import { type StepResult, stepRows } from './step-rows.js'
import { summarize } from './summarize.js'

export interface ReportInput {
  readonly params: StageParams<'report'>
  readonly seed: number
  readonly inputs: readonly StageInput[]
  readonly evaluation: EvaluationResult
  readonly preparation: Decisions
  /** In their order, those of rounds that were given up too. */
  readonly steps: readonly StepResult[]
  readonly statistics?: CalibrationStatistics
  readonly dataQuality?: DataQuality
}

export function buildReport(input: ReportInput): Report {
  const { params, evaluation, preparation, statistics, dataQuality } = input
  const { op_types, ...measured } = evaluation
  const kept = input.steps.filter((step) => step.kept)
  const tried = kept.flatMap(({ decisions }) => decisions.tried ?? [])
  const sensitivity = kept.flatMap(({ decisions }) => decisions.sensitivity ?? [])
  const constraints = checkConstraints(params, evaluation)
  const rows = kept.flatMap(({ label, decisions }) =>
    layerRows(label, decisions.layers, evaluation),
  )
  const said = [preparation, ...kept.map(({ decisions }) => decisions)].flatMap(
    ({ diagnostics }) => diagnostics,
  )
  return {
    version: REPORT_VERSION,
    summary: summarize(evaluation, constraints),
    constraints,
    recipe: params.recipe,
    target: params.target,
    evaluation: measured,
    ...(params.metric_reason === undefined ? {} : { metric_reason: params.metric_reason }),
    steps: stepRows(input.steps, evaluation),
    layers: rows,
    op_types,
    ...(tried.length === 0 ? {} : { tried }),
    ...(sensitivity.length === 0 ? {} : { sensitivity }),
    ...(statistics === undefined
      ? {}
      : {
          ranges: rangeRows(
            statistics,
            kept.flatMap(({ decisions }) => decisions.layers),
          ),
        }),
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
