// What a planner of a step works with: the request, the stages so far, and what has ended of them.
import {
  type DatasetRole,
  type FinishedStage,
  type JsonObject,
  type PlannedSource,
  stageName,
} from '@pare/recipe'

import type { Judged, StageKind } from '../stages/stage-table.js'
import { judgedOutput } from './choose-metric.js'
import type { PlanBasis } from './plan-basis.js'
import { type NewStage, type Place, StageList, type StageRef } from './stage-list.js'

/** Metrics of a stage by its name; undefined: it has not ended. */
export type MetricsOf = (stage: string) => JsonObject | undefined

export function metricsOf(finished: readonly FinishedStage[]): MetricsOf {
  const byName = new Map(finished.map(({ name, metrics }) => [name, metrics]))
  return (stage) => byName.get(stage)
}

interface Shared {
  readonly basis: PlanBasis
  readonly list: StageList
  readonly metricsOf: MetricsOf
  rounds: number
}

export class PlanScope {
  readonly #shared: Shared
  readonly #place: Place

  private constructor(shared: Shared, place: Place) {
    this.#shared = shared
    this.#place = place
  }

  static ofJob(basis: PlanBasis, metrics: MetricsOf): PlanScope {
    const list = new StageList(basis.request.target.device)
    return new PlanScope({ basis, list, metricsOf: metrics, rounds: 0 }, {})
  }

  get basis(): PlanBasis {
    return this.#shared.basis
  }

  get stages(): StageList['stages'] {
    return this.#shared.list.stages
  }

  /** Of the round that the scope is in. */
  get round(): number | undefined {
    return this.#place.round
  }

  /** Names what a step of this type does here: `1-prune_weights`, `2/1-prune_weights`. */
  label(type: string): string {
    return stageName({ ...this.#place, kind: type })
  }

  /** The same place, or a round's, at its step of this number, from 1. */
  step(step: number): PlanScope {
    return new PlanScope(this.#shared, { ...this.#place, step })
  }

  /** The next round. They count on through the whole job, so that names stay unique. */
  nextRound(): PlanScope {
    this.#shared.rounds++
    return new PlanScope(this.#shared, { round: this.#shared.rounds })
  }

  add<Kind extends StageKind>(stage: NewStage<Kind>): StageRef<Kind> {
    return this.#shared.list.add(this.#place, stage)
  }

  metricsOf({ name }: { readonly name: string }): JsonObject | undefined {
    return this.#shared.metricsOf(name)
  }

  get original(): PlannedSource {
    return { blob: this.basis.model }
  }

  /** Undefined where the request names none of this role. */
  dataset(role: DatasetRole): PlannedSource | undefined {
    const sha256 = this.basis.datasets[role]
    return sha256 === undefined ? undefined : { blob: sha256 }
  }

  /** One that the checks of the request have found there. */
  requiredDataset(role: DatasetRole): PlannedSource {
    const source = this.dataset(role)
    if (source === undefined)
      throw new Error(`the plan uses the ${role} dataset, which is not there`)
    return source
  }

  /** What is judged, and how: alike wherever the job judges. */
  get judged(): Judged {
    const { judgedBy, request } = this.basis
    return judgedOutput(judgedBy, request.target)
  }

  /** The data that results are judged on. */
  get judgedData(): PlannedSource {
    return this.requiredDataset(this.basis.judgedOn)
  }
}
