// Layers in the order in which a correction reaches them.
import type { Graph } from '@pare/graph'
import { readValues } from '@pare/graph'

import type { IntegerLayer } from '../layers/integer-layers.js'

/**
 * Layers that do not depend on one another, level by level: each reads what layers of earlier
 * levels made. Neighbouring levels are joined where there would be more than `maxLevels`.
 */
export function layerLevels(
  graph: Graph,
  layers: readonly IntegerLayer[],
  maxLevels: number,
): readonly (readonly IntegerLayer[])[] {
  const byNode = new Map(layers.map((layer) => [layer.integers.node, layer]))
  const depths = new Map<string, number>()
  const levels: IntegerLayer[][] = []
  for (const node of graph.nodes) {
    const layer = byNode.get(node)
    let depth = 0
    for (const value of readValues(node)) depth = Math.max(depth, depths.get(value) ?? 0)
    if (layer !== undefined) (levels[depth++] ??= []).push(layer)
    for (const output of node.outputs) depths.set(output, depth)
  }
  const perGroup = Math.max(1, Math.ceil(levels.length / maxLevels))
  return Array.from({ length: Math.ceil(levels.length / perGroup) }, (_, i) =>
    levels.slice(i * perGroup, (i + 1) * perGroup).flat(),
  )
}
