// What calibration saw of each value, beside the range that was chosen for it.
import {
  type CalibrationStatistics,
  coarseHistogram,
  type HistogramState,
  type MinMaxState,
  type StatisticsKind,
} from '@pare/calibration'
import { isRecord } from '@pare/recipe'

import type { DecidedLayer } from './decisions.js'
import type { Range, RangeRow } from './report.js'

const BINS = 48

/** Values in the order of observation; those that no layer is about too. */
export function rangeRows(
  statistics: CalibrationStatistics,
  layers: readonly DecidedLayer[],
): readonly RangeRow[] {
  const chosen = chosenRanges(layers)
  return Object.entries(statistics.tensors).map(([value, { state }]): RangeRow => {
    const choice = chosen.get(value)
    const observed = state.range
    return {
      value,
      layers: choice?.layers ?? [],
      observed: observed === undefined ? null : { min: observed.min, max: observed.max },
      chosen: choice?.range ?? null,
      type: choice?.type ?? null,
      non_finite: state.nonFinite,
      histogram: drawn(statistics.kind, state),
    }
  })
}

/** Statistics of this kind have states of this kind. */
function drawn(kind: StatisticsKind, state: MinMaxState): RangeRow['histogram'] {
  return kind === 'histogram' ? (coarseHistogram(state as HistogramState, BINS) ?? null) : null
}

interface Choice {
  readonly range: Range
  readonly type: string
  readonly layers: string[]
}

/** What layers say of the values that they read and write, by value. */
function chosenRanges(layers: readonly DecidedLayer[]): ReadonlyMap<string, Choice> {
  const choices = new Map<string, Choice>()
  for (const { node, input, outputValue } of layers) {
    for (const value of [input, outputValue]) {
      const { name, type, range } = quantizedValue(value)
      if (name === undefined || range === undefined) continue
      const choice = choices.get(name) ?? { range, type: type ?? '', layers: [] }
      choice.layers.push(node)
      choices.set(name, choice)
    }
  }
  return choices
}

function quantizedValue(value: unknown): {
  readonly name?: string | undefined
  readonly type?: string | undefined
  readonly range?: Range | undefined
} {
  if (!isRecord(value)) return {}
  const { name, type, range } = value
  const ends = isRecord(range) ? range : {}
  const { min, max } = ends
  return {
    name: typeof name === 'string' ? name : undefined,
    type: typeof type === 'string' ? type : undefined,
    range: typeof min === 'number' && typeof max === 'number' ? { min, max } : undefined,
  }
}
