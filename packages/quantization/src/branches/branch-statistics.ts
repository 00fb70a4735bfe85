// Statistics of values in branches are kept under names that say of which branch: both branches may
// read one value, and see different ranges of it.
import type { CalibrationStatistics, StatisticsKind } from '@pare/calibration'

import type { Branch } from './branches.js'

type Tensors<Kind extends StatisticsKind> = CalibrationStatistics<Kind>['tensors']

/** For the values of the main graph nothing; for a branch its If's first output, and which it is. */
export function branchPrefix({ node, name }: Branch): string {
  return `${node.outputs.find((output) => output !== '') ?? node.name}/${name}/`
}

/** The statistics of the values in a branch, by their names in the branch's model. */
export function statisticsIn(
  statistics: CalibrationStatistics,
  branch: Branch,
): CalibrationStatistics {
  const prefix = branchPrefix(branch)
  const inside = Object.entries(statistics.tensors)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, tensor]) => [name.slice(prefix.length), tensor] as const)
  return { ...statistics, tensors: Object.fromEntries(inside) }
}

export function prefixed<Kind extends StatisticsKind>(
  tensors: Tensors<Kind>,
  prefix: string,
): Tensors<Kind> {
  const entries = Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor] as const)
  return Object.fromEntries(entries)
}
