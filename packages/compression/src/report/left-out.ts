import type { Diagnostic } from '@pare/graph'
import { REASONS } from '@pare/recipe'

import type { LayerRow } from './report.js'

/**
 * A message for each layer that was left as it is and of which no other message speaks: steps that
 * report their rows alone are heard too.
 */
export function leftOut(
  layers: readonly LayerRow[],
  known: readonly Diagnostic[],
): readonly Diagnostic[] {
  const spoken = new Set(known.map(({ node }) => node))
  return layers.flatMap(({ node, opType, reason, message }): readonly Diagnostic[] => {
    if (reason === undefined || spoken.has(node)) return []
    const why = message ?? REASONS[reason].sentence
    const said = `${opType} ${node} is left as it is: ${why}`
    return [{ severity: 'info', code: reason, message: said, node, opType }]
  })
}
