import { createHash } from 'node:crypto'

import type { StageStatus } from '@pare/database'

import { viewStage } from './stage.js'

/** The content of report.json, and how each stage came by its result. */
export function viewReport(
  content: Readonly<Record<string, unknown>>,
  stages: readonly StageStatus[],
) {
  return { ...content, stages: stages.map(viewReportStage) }
}

/** Without what changes while a stage runs. */
function viewReportStage(stage: StageStatus) {
  const { name, kind, state, key, attempt, from_cache, ...rest } = viewStage(stage)
  const { inputs, outputs, queued_at, started_at, finished_at, run_seconds } = rest
  return {
    ...{ name, kind, state, key, attempt, from_cache, inputs, outputs },
    ...{ queued_at, started_at, finished_at, run_seconds },
  }
}

export function etagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('hex')}"`
}
