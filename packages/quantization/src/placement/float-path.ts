// Nodes on the data path that stay float say so: nothing is skipped in silence.
import {
  type Diagnostic,
  type Model,
  type Node,
  onnxOpset,
  subgraphsOf,
  walkNodes,
} from '@pare/graph'
import { isNeverInteger, opFacts } from '@pare/ops'
import { whyNot } from '@pare/recipe'

import { isBranching } from '../branches/branches.js'
import { toDiagnostic } from '../report/decision.js'
import { dataPath } from './data-path.js'
import type { Placement } from './placement.js'

/** A diagnostic for each node on the data path that stays float. */
export function floatDiagnostics(model: Model, placement: Placement): readonly Diagnostic[] {
  const folded = new Set([...placement.emitters.values()].flatMap(({ clamps }) => clamps))
  const diagnostics: Diagnostic[] = []
  for (const node of dataPath(model)) {
    const stays = placement.floats.get(node)
    if (stays !== undefined) diagnostics.push(toDiagnostic(node, stays))
    else if (isBranching(node)) continue
    else if (subgraphsOf(node).length > 0) diagnostics.push(withBodies(node))
    else if (!folded.has(node) && isNeverInteger(node, onnxOpset(model))) {
      diagnostics.push(withoutKernel(node))
    }
  }
  return diagnostics
}

/** What is in a body of Loop or Scan, whose values differ from round to round, is not looked at. */
function withBodies(node: Node): Diagnostic {
  const inner = subgraphsOf(node).flatMap((body) => [...walkNodes(body, { subgraphs: 'visit' })])
  const layers = inner.filter((one) => opFacts(one)?.weightInput !== undefined).length
  const count = layers === 1 ? '1 layer' : `${layers} layers`
  return toDiagnostic(node, whyNot('in_subgraph', `${count} with weights in its bodies stay float`))
}

function withoutKernel(node: Node): Diagnostic {
  return toDiagnostic(
    node,
    whyNot('no_kernel', `onnxruntime has no integer kernel for ${node.opType}`),
  )
}
