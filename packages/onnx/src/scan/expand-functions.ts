/**
 * How large a model gets once its functions are inlined, counted without inlining: each function is
 * visited once, however often it is called. A kilobyte of functions that call each other twice
 * keeps onnxruntime 1.30 busy for minutes; here it costs one step per function.
 */
import type { Body } from './body.js'
import { refuse, type ScanContext } from './scan-context.js'

export interface Expansion {
  /** Nodes of the main graph after inlining; floating point, so it may reach Infinity. */
  readonly nodes: number
  /** Nested graphs after inlining. */
  readonly depth: number
  /** Length of the longest chain of calls. */
  readonly calls: number
}

export function expandFunctions(
  context: ScanContext,
  main: Body,
  functions: ReadonlyMap<string, Body>,
): Expansion {
  const known = new Map<Body, Expansion>()
  const open = new Set<Body>()

  const expand = (body: Body): Expansion => {
    const memo = known.get(body)
    if (memo !== undefined) return memo
    checkStack(context, body, open)
    open.add(body)
    let { nodes, deepest: depth } = body
    let calls = 0
    for (const [key, use] of body.uses) {
      const callee = functions.get(key)
      if (callee === undefined) continue
      const inner = expand(callee)
      // The call itself is replaced by the callee's nodes.
      nodes += use.count * (inner.nodes - 1)
      depth = Math.max(depth, use.deepest + inner.depth - 1)
      calls = Math.max(calls, inner.calls + 1)
    }
    open.delete(body)
    const expansion = { nodes, depth, calls }
    checkExpansion(context, body, expansion)
    known.set(body, expansion)
    return expansion
  }

  for (const body of functions.values()) expand(body)
  const expansion = expand(main)
  checkTotal(context, main, expansion.nodes)
  return expansion
}

function checkStack(context: ScanContext, body: Body, open: ReadonlySet<Body>): void {
  if (open.has(body)) {
    throw refuse(context, 'function_recursion', body.place, 'the function calls itself in the end')
  }
  // The open bodies are one chain of calls, so this also bounds our own recursion.
  if (open.size > context.limits.maxFunctionDepth) throw tooManyCalls(context, body)
}

function checkExpansion(context: ScanContext, body: Body, expansion: Expansion): void {
  if (expansion.calls > context.limits.maxFunctionDepth) throw tooManyCalls(context, body)
  if (expansion.depth > context.limits.maxDepth) {
    const reason = `graphs are nested more than ${context.limits.maxDepth} deep through functions`
    throw refuse(context, 'model_too_deep', body.place, reason)
  }
}

function tooManyCalls(context: ScanContext, body: Body): Error {
  const reason = `more than ${context.limits.maxFunctionDepth} calls within calls`
  return refuse(context, 'function_too_deep', body.place, reason)
}

function checkTotal(context: ScanContext, main: Body, nodes: number): void {
  const { maxExpandedNodes, maxExpansionRatio, expansionFloor } = context.limits
  const written = Math.max(1, context.counts.nodes)
  const isMultiplied = nodes > expansionFloor && nodes / written > maxExpansionRatio
  if (nodes <= maxExpandedNodes && !isMultiplied) return
  const reason = `${written} written nodes expand to ${Math.min(nodes, Number.MAX_SAFE_INTEGER)}`
  throw refuse(context, 'function_bomb', main.place, reason)
}
