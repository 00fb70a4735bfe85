// The table of steps: what the model was like behind each of them.
import type { EvaluationResult, Measurement } from '@pare/evaluation'
import { toJsonObject } from '@pare/recipe'

import type { ReportedStep } from '../stages/stage-table.js'
import type { Decisions } from './decisions.js'
import type { StepRow } from './report.js'

/** A step of the job, with what it decided and what was measured behind it. */
export interface StepResult extends ReportedStep {
  readonly decisions: Decisions
  /** Absent of the step behind which the evaluation stands. */
  readonly measurement?: Measurement
}

export function stepRows(
  steps: readonly StepResult[],
  evaluation: EvaluationResult,
): readonly StepRow[] {
  const last = steps.findLast(({ kept }) => kept)
  return steps.map((step) => {
    const { label, round, kept, measurement } = step
    const { type, ...parameters } = step.step
    // Of the delivered model the evaluation knows all.
    const measured = step === last ? evaluated(evaluation) : measurement
    return {
      ...{ label, type, parameters: toJsonObject(parameters), kept },
      ...(round === undefined ? {} : { round }),
      ...(measured === undefined ? UNMEASURED : figuresOf(measured)),
    }
  })
}

type Figures = Omit<StepRow, 'label' | 'type' | 'parameters' | 'kept' | 'round'>

const UNMEASURED: Figures = { primary: null, size: null, sparsity: null, macs: null, latency: null }

function evaluated({ primary, original, result, latency }: EvaluationResult): Measurement {
  return {
    ...{ primary, original, result },
    latency: { ...latency, original: original.latency, result: result.latency },
  }
}

function figuresOf({ primary, original, result, latency }: Measurement): Figures {
  return {
    primary,
    size: {
      ...result.size,
      ratio: result.size.bytes / original.size.bytes,
      gzip_ratio: result.size.gzip_bytes / original.size.gzip_bytes,
    },
    sparsity: result.sparsity,
    macs: result.macs,
    latency:
      latency === null
        ? null
        : {
            p50_ms: latency.result.p50_ms,
            p95_ms: latency.result.p95_ms,
            speedup: latency.speedup,
          },
  }
}
