// Relu and Clip behind a quantized producer cost nothing: QuantizeLinear clips anyway, and the range
// of what follows them already ends where they do. So the producer writes their output directly.
import type { GraphIndex, Node } from '@pare/graph'
import { foldableActivation } from '@pare/passes'

export interface ClampChain {
  /** The value behind the last clamp, or the node's own output. */
  readonly output: string
  readonly clamps: readonly Node[]
}

/**
 * The clamps that follow the node's first output without anything else reading in between.
 * Quantization ranges always contain 0, so a Clip whose bounds exclude 0 is not among them: it would
 * let through what it should cut.
 */
export function clampChain(node: Node, index: GraphIndex): ClampChain {
  const clamps: Node[] = []
  let output = node.outputs[0]!
  for (;;) {
    const next = foldableActivation(output, index)
    if (next === undefined || next.min > 0 || next.max < 0) return { output, clamps }
    clamps.push(next.node)
    output = next.output
  }
}
