// Relu and Clip behind a quantized producer cost nothing: QuantizeLinear clips anyway, and the range
// of what follows them already ends where they do. So the producer writes their output directly.
import type { GraphIndex, Node } from '@pare/graph'
import { floatAttribute } from '@pare/graph'
import { toNumbers } from '@pare/tensor'

export interface ClampChain {
  /** The value behind the last clamp, or the node's own output. */
  readonly output: string
  readonly clamps: readonly Node[]
}

/** The clamps that follow the node's first output without anything else reading in between. */
export function clampChain(node: Node, index: GraphIndex): ClampChain {
  const clamps: Node[] = []
  let output = node.outputs[0]!
  for (;;) {
    const [next, ...others] = index.consumers(output)
    if (next === undefined || others.length > 0 || index.isGraphOutput(output)) break
    if (next.inputs[0] !== output || !isFoldable(next, index)) break
    clamps.push(next)
    output = next.outputs[0]!
  }
  return { output, clamps }
}

/**
 * Whether quantizing the clamp's output does what the clamp does. Quantization ranges always contain
 * 0, so a clip whose bounds exclude 0 would let through what it should cut.
 */
function isFoldable(node: Node, index: GraphIndex): boolean {
  if (node.domain !== '') return false
  if (node.opType === 'Relu') return true
  if (node.opType !== 'Clip') return false
  const low = bound(node, index, { attribute: 'min', input: 1, absent: -Infinity })
  const high = bound(node, index, { attribute: 'max', input: 2, absent: Infinity })
  return low !== undefined && high !== undefined && low <= 0 && high >= 0
}

interface BoundPlace {
  readonly attribute: string
  /** Since opset 11 the bounds are inputs. */
  readonly input: number
  readonly absent: number
}

function bound(node: Node, index: GraphIndex, place: BoundPlace): number | undefined {
  const input = node.inputs[place.input] ?? ''
  if (input === '') return floatAttribute(node, place.attribute, place.absent)
  const tensor = index.constant(input)
  return tensor === undefined ? undefined : Number(toNumbers(tensor)[0])
}
