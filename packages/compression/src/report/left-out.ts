import type { Diagnostic } from '@pare/graph'

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
  return layers
    .filter(({ node, reason }) => reason !== undefined && !spoken.has(node))
    .map(({ node, opType, reason = '', message }) => ({
      severity: 'info',
      code: reason,
      message: `${opType} ${node} is left as it is: ${message ?? reason}`,
      node,
      opType,
    }))
}
