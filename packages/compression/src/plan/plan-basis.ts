// What a plan is made from. It is kept with the job, so that the plan can grow, and be made again,
// without another look at anything that may have changed meanwhile.
import { type DatasetRole, type JobRequest, type JsonObject, toJsonObject } from '@pare/recipe'

import type { KnownDataset, KnownModel } from './check-datasets.js'
import type { MetricChoice } from './choose-metric.js'

/** The ready model and datasets that a request names. */
export interface PlanInputs {
  readonly model: KnownModel
  readonly datasets: Readonly<Partial<Record<DatasetRole, KnownDataset>>>
}

/** A request that was checked, the hashes of what it names, and how its result is judged. */
export type PlanBasis = {
  readonly request: JobRequest
  /** SHA-256 of the canonical model. */
  readonly model: string
  /** SHA-256 of the normalized datasets. */
  readonly datasets: Readonly<Partial<Record<DatasetRole, string>>>
  readonly judgedBy: MetricChoice
  /** The dataset that results are judged on. */
  readonly judgedOn: DatasetRole
}

export function storeBasis(basis: PlanBasis): JsonObject {
  return toJsonObject(basis)
}

/** Of a plan that `storeBasis` was used for: its form is the planner's own promise. */
export function readBasis(stored: JsonObject): PlanBasis {
  return stored as PlanBasis
}
