// Size and time by type of operator, of two models beside each other.
import { type Model, walkNodes } from '@pare/graph'

import { opFamily } from './op-family-table.js'
import type { ModelProfile } from './profile-model.js'
import { servedConstants } from './weight-readers.js'

/** One row: an operator, whatever its numbers are written in (`QLinearConv` counts as `Conv`). */
export interface OpTypeRow {
  readonly op_type: string
  readonly original: OpTypeCost
  readonly result: OpTypeCost
}

export interface OpTypeCost {
  /** Nodes in the file. */
  readonly count: number
  /** Bytes of the constants that they read: weights, and the scales that go with them. */
  readonly bytes: number
  /** Of the time of all kernels, 0 to 1; null where no profile was made. */
  readonly time_share: number | null
}

export interface CostedModel {
  readonly model: Model
  readonly profile: ModelProfile | null
}

/** Rows in the order of what they cost: by the greater share of time or bytes in either model. */
export function opCosts(original: CostedModel, result: CostedModel): readonly OpTypeRow[] {
  const [before, after] = [costsOf(original), costsOf(result)]
  const names = [...new Set([...before.keys(), ...after.keys()])].sort()
  const rows = names.map((name) => ({
    op_type: name,
    original: before.get(name) ?? nothing(original),
    result: after.get(name) ?? nothing(result),
  }))
  const bytes = rows.reduce((sum, { original: { bytes } }) => sum + bytes, 0)
  const weight = (row: OpTypeRow) =>
    Math.max(
      row.original.time_share ?? 0,
      row.result.time_share ?? 0,
      bytes === 0 ? 0 : row.original.bytes / bytes,
    )
  return rows.sort((a, b) => weight(b) - weight(a))
}

function nothing({ profile }: CostedModel): OpTypeCost {
  return { count: 0, bytes: 0, time_share: profile === null ? null : 0 }
}

function costsOf(costed: CostedModel): ReadonlyMap<string, OpTypeCost> {
  const costs = new Map<string, OpTypeCost>()
  const add = (opType: string, more: Partial<OpTypeCost>) => {
    const name = opFamily(opType)
    const { count, bytes, time_share: share } = costs.get(name) ?? nothing(costed)
    costs.set(name, {
      count: count + (more.count ?? 0),
      bytes: bytes + (more.bytes ?? 0),
      time_share: share === null ? null : share + (more.time_share ?? 0),
    })
  }
  for (const { opType } of walkNodes(costed.model.graph, { subgraphs: 'visit' })) {
    if (opType !== 'Constant') add(opType, { count: 1 })
  }
  for (const { reader, bytes } of servedConstants(costed.model)) {
    if (reader !== null) add(reader.opType, { bytes })
  }
  for (const { kernel, share } of costed.profile?.kernels ?? []) add(kernel, { time_share: share })
  return costs
}
