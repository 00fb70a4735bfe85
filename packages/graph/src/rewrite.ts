// A local rewrite is `match` (pure, says why not) and `rewrite` (may assume what `match` checked).
import { nodeLabel } from './attributes.js'
import { editGraph, type GraphEditor } from './graph-editor.js'
import type { GraphIndex } from './graph-index.js'
import type { Model, Node } from './model.js'
import type { Diagnostic, Pass, PassResult } from './pass.js'
import { subgraphsOf } from './walk.js'

/** Why a node of a matching type is left as it is; becomes a diagnostic. */
export interface Miss {
  readonly miss: Diagnostic['code']
  readonly message: string
  readonly severity: Diagnostic['severity']
}

export function miss(
  code: string,
  message: string,
  severity: Diagnostic['severity'] = 'info',
): Miss {
  return { miss: code, message, severity }
}

export interface Rewrite<M extends object> {
  readonly name: string
  /** The operators (default domain unless `domain` says otherwise) that `match` is asked about. */
  readonly opTypes: readonly string[]
  readonly domain?: string
  /** Pure. Undefined: not this rewrite's business; a Miss: it is, but cannot be done. */
  readonly match: (node: Node, index: GraphIndex) => M | Miss | undefined
  readonly rewrite: (match: M, editor: GraphEditor) => void
}

/** Infers the type of the match. */
export function defineRewrite<M extends object>(rewrite: Rewrite<M>): Rewrite<M> {
  return rewrite
}

/**
 * The pass that applies a rewrite to every node of the main graph, in order, once. Bodies of If,
 * Loop and Scan are left alone; a body that holds a matching operator is a diagnostic.
 */
export function rewritePass<M extends object>(rule: Rewrite<M>): Pass {
  return { name: rule.name, run: (model) => applyRewrite(rule, model) }
}

function applyRewrite<M extends object>(rule: Rewrite<M>, model: Model): PassResult {
  const editor = editGraph(model)
  const opTypes = new Set(rule.opTypes)
  const matches = (node: Node) => node.domain === (rule.domain ?? '') && opTypes.has(node.opType)
  const diagnostics: Diagnostic[] = []
  let modified = false
  for (const original of model.graph.nodes) {
    if (subgraphsOf(original).some((body) => body.nodes.some(matches))) {
      diagnostics.push(skippedBody(rule.name, original))
    }
    const node = editor.current(original)
    if (node === undefined || !matches(node)) continue
    const result = rule.match(node, editor)
    if (result === undefined) continue
    if (isMiss(result)) {
      diagnostics.push(missed(result, node))
      continue
    }
    rule.rewrite(result, editor)
    modified = true
  }
  return { model: modified ? editor.finish() : model, modified, diagnostics }
}

function isMiss(result: object): result is Miss {
  return 'miss' in result && typeof result.miss === 'string'
}

function missed(result: Miss, node: Node): Diagnostic {
  const { severity, miss: code, message } = result
  return { severity, code, message, node: nodeLabel(node), opType: node.opType }
}

function skippedBody(rule: string, node: Node): Diagnostic {
  return {
    severity: 'info',
    code: 'subgraph_skipped',
    message: `${rule} does not enter the body of ${node.opType}`,
    node: nodeLabel(node),
    opType: node.opType,
  }
}
