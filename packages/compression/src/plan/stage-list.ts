// Stages as a plan collects them: typed by the catalogue, named by their place.
import {
  type Device,
  type PlannedInput,
  type PlannedSource,
  type PlannedStage,
  stageName,
  toJsonObject,
} from '@pare/recipe'

import type { OutputRole, StageParams } from '../stages/stage.js'
import type { InputRule } from '../stages/stage-spec.js'
import { STAGE_TABLE, type StageKind } from '../stages/stage-table.js'

type Rules<Kind extends StageKind> = (typeof STAGE_TABLE)[Kind]['inputs']
type RolesOf<Kind extends StageKind, Rule extends InputRule> = {
  [Role in keyof Rules<Kind>]: Rules<Kind>[Role] extends Rule ? Role : never
}[keyof Rules<Kind>]

/** Where each input of a kind comes from; of a role with many, by label. */
export type InputSources<Kind extends StageKind> = {
  readonly [Role in RolesOf<Kind, 'one'>]: PlannedSource
} & {
  readonly [Role in RolesOf<Kind, 'optional'>]?: PlannedSource | undefined
} & {
  readonly [Role in RolesOf<Kind, 'many'>]: Readonly<Record<string, PlannedSource>>
}

/** A stage of the plan, as those after it see it. */
export interface StageRef<Kind extends StageKind> {
  readonly name: string
  readonly kind: Kind
  readonly output: (role: OutputRole<Kind>) => PlannedSource
}

export interface NewStage<Kind extends StageKind> {
  readonly kind: Kind
  readonly params: StageParams<Kind>
  readonly inputs: InputSources<Kind>
}

/** Where in the job stages are added: the job itself, a step of its recipe, a round, a step of that. */
export interface Place {
  readonly round?: number
  readonly step?: number
}

/** Grows by `add` alone, while one plan is made; stages that use a device are for this one. */
export class StageList {
  readonly #stages: PlannedStage<StageKind>[] = []
  readonly #device: Device

  constructor(device: Device) {
    this.#device = device
  }

  get stages(): readonly PlannedStage<StageKind>[] {
    return this.#stages
  }

  add<Kind extends StageKind>(
    place: Place,
    { kind, params, inputs }: NewStage<Kind>,
  ): StageRef<Kind> {
    const name = stageName({ ...place, kind })
    const isOnDevice = STAGE_TABLE[kind].usesDevice && this.#device !== 'cpu'
    this.#stages.push({
      ...{ name, kind, params: toJsonObject(params), inputs: listInputs(inputs) },
      ...(isOnDevice ? { device: this.#device } : {}),
    })
    return { name, kind, output: (role) => ({ stage: name, role }) }
  }
}

type Sources = PlannedSource | Readonly<Record<string, PlannedSource>> | undefined

function listInputs(inputs: Readonly<Record<string, Sources>>): readonly PlannedInput[] {
  return Object.entries(inputs).flatMap(([role, from]): readonly PlannedInput[] => {
    if (from === undefined) return []
    if (isSource(from)) return [{ role, from }]
    return Object.entries(from).map(([label, source]) => ({
      role: `${role}/${label}`,
      from: source,
    }))
  })
}

function isSource(from: NonNullable<Sources>): from is PlannedSource {
  return typeof Object.values(from)[0] === 'string'
}
