// Replaces calls of the model's own functions by the nodes of their bodies. Rules:
// 1. A call is whatever names a function (domain, name, overload), even where the runtime has an
//    operator of that name: the file's own definition is what the model means.
// 2. Functions in functions, in bodies of If, Loop and Scan, and in graphs that a call passes on
//    are expanded too. Values and nodes get names from the call's: `call/inner`.
// 3. An attribute reference takes the call's value, else the default, else the attribute goes.
// 4. A function that imports another opset than the model is expanded where each of its operators
//    computes the same in both; otherwise its calls stay, with a diagnostic.
// 5. Definitions that nothing calls any more go, and with them the imports of their domains.
// 6. Circles and expansions beyond MAX_NODES are an error: no later step could run such a model.
import {
  type Diagnostic,
  editGraph,
  type FunctionDefinition,
  type Graph,
  mapSubgraphs,
  type Model,
  type Node,
  nodeLabel,
  type OpsetImport,
  type Pass,
  type PassResult,
  subgraphsOf,
  walkNodes,
} from '@pare/graph'
import { NEWEST_OPSET, opRow, sinceVersion } from '@pare/ops'

import { errors } from './errors.js'
import { bodyOfCall, callMismatch, type FreshNames } from './inline-call.js'
import { OLDEST_OPSET, upgradeTable } from './opset/upgrade-table.js'

/** Nodes looked at while expanding: ten times what the scanner lets an upload expand to. */
const MAX_NODES = 1_000_000
/** Calls within calls; the scanner accepts 64. */
const MAX_DEPTH = 100

export interface InlineFunctionsOptions {
  /** Default 1,000,000 nodes, calls and nodes of bodies included. */
  readonly maxNodes?: number
}

/** @throws functions_too_large */
export function inlineFunctions({ maxNodes = MAX_NODES }: InlineFunctionsOptions = {}): Pass {
  return { name: 'inline_functions', run: (model) => run(model, maxNodes) }
}

interface Expansion {
  readonly functions: ReadonlyMap<string, FunctionDefinition>
  /** The model's imports by domain, and those that expanded bodies need. */
  readonly imports: Map<string, number>
  /** By function: why it stays, undefined where it does not. */
  readonly obstacles: Map<string, string | undefined>
  readonly fresh: FreshNames
  /** By function and reason: one for many calls. */
  readonly diagnostics: Map<string, Diagnostic>
  readonly maxNodes: number
  nodes: number
}

function run(model: Model, maxNodes: number): PassResult {
  if (model.functions.length === 0) return { model, modified: false, diagnostics: [] }
  const expansion: Expansion = {
    functions: new Map(model.functions.map((one) => [keyOf(one, one.name), one])),
    imports: new Map(model.opsetImports.map(({ domain, version }) => [domain, version])),
    obstacles: new Map(),
    fresh: freshNames(model),
    diagnostics: new Map(),
    maxNodes,
    nodes: 0,
  }
  const graph = expandGraph(model.graph, expansion, [])
  const functions = calledFunctions({ ...model, graph }, expansion.functions)
  const opsetImports = neededImports({ ...model, graph, functions }, expansion)
  return {
    model: { ...model, graph, functions, opsetImports },
    modified: true,
    diagnostics: [...expansion.diagnostics.values()],
  }
}

function keyOf({ domain, overload = '' }: { domain: string; overload?: string }, name: string) {
  return `${domain}\n${name}\n${overload}`
}

/** Names that neither a value nor a node of the model has. */
function freshNames(model: Model): FreshNames {
  const editor = editGraph(model)
  const nodes = new Set([...walkNodes(model.graph, { subgraphs: 'visit' })].map(({ name }) => name))
  const node = (hint: string) => {
    let name = editor.uniqueName(hint)
    while (nodes.has(name)) name = editor.uniqueName(hint)
    return name
  }
  return { value: (hint) => editor.uniqueName(hint), node }
}

function expandGraph(graph: Graph, expansion: Expansion, calls: readonly string[]): Graph {
  const nodes = graph.nodes.flatMap((node) => expandNode(node, expansion, calls))
  const isSame = nodes.length === graph.nodes.length && nodes.every((n, i) => n === graph.nodes[i])
  return isSame ? graph : { ...graph, nodes }
}

/** `calls`: the functions whose bodies the node comes from, outermost first. */
function expandNode(
  original: Node,
  expansion: Expansion,
  calls: readonly string[],
): readonly Node[] {
  countNode(expansion, original)
  // Before the call itself: a graph that it passes on belongs to the caller.
  const node = mapSubgraphs(original, (body) => expandGraph(body, expansion, calls))
  const key = keyOf(node, node.opType)
  const definition = expansion.functions.get(key)
  if (definition === undefined) return [node]
  if (calls.includes(key) || calls.length >= MAX_DEPTH) throw circle(node, calls)
  const reason = obstacleOf(definition, key, expansion) ?? callMismatch(node, definition)
  if (reason !== undefined) {
    const known = `${key}\n${reason}`
    if (!expansion.diagnostics.has(known)) expansion.diagnostics.set(known, stays(node, reason))
    return [node]
  }
  const inner = [...calls, key]
  return bodyOfCall(node, definition, expansion.fresh).flatMap((one) =>
    expandNode(one, expansion, inner),
  )
}

function countNode(expansion: Expansion, node: Node): void {
  expansion.nodes += 1
  if (expansion.nodes <= expansion.maxNodes) return
  throw errors.functions_too_large(
    `the functions of the model expand to more than ${expansion.maxNodes} nodes, counted up to ${nodeLabel(node)}`,
    { details: { maxNodes: expansion.maxNodes } },
  )
}

function circle(node: Node, calls: readonly string[]): Error {
  return errors.functions_too_large(
    `the function ${node.opType} calls itself in the end, or ${MAX_DEPTH} functions call each other in a chain`,
    { details: { opType: node.opType, depth: calls.length } },
  )
}

function stays(node: Node, reason: string): Diagnostic {
  return {
    severity: 'warning',
    code: 'function_not_inlined',
    message: `calls of the function ${node.opType} stay as they are: ${reason}`,
    node: nodeLabel(node),
    opType: node.opType,
  }
}

function obstacleOf(
  definition: FunctionDefinition,
  key: string,
  expansion: Expansion,
): string | undefined {
  if (!expansion.obstacles.has(key)) {
    expansion.obstacles.set(key, findObstacle(definition, expansion))
  }
  return expansion.obstacles.get(key)
}

/** Compares the function's opsets with the model's, and adopts those that the model lacks. */
function findObstacle(definition: FunctionDefinition, expansion: Expansion): string | undefined {
  const { imports } = expansion
  const own = new Map(definition.opsetImports.map(({ domain, version }) => [domain, version]))
  const adopted = new Map<string, number>()
  for (const node of nodesOf(definition.nodes)) {
    const version = own.get(node.domain)
    const outer = imports.get(node.domain)
    if (version === undefined || version === outer) continue
    if (outer === undefined) adopted.set(node.domain, version)
    else if (!expansion.functions.has(keyOf(node, node.opType))) {
      if (meansTheSame(node, version, outer)) continue
      const domain = node.domain || 'ai.onnx'
      return `its ${node.opType} is that of ${domain} ${version}, and the model imports ${outer}`
    }
  }
  for (const [domain, version] of adopted) imports.set(domain, version)
  return undefined
}

/** Whether a node written for opset `from` computes the same under `to`. */
function meansTheSame(node: Node, from: number, to: number): boolean {
  const since = sinceVersion(node, from)
  if (since === undefined) return false
  if (since === sinceVersion(node, to)) return true
  // Newer definitions that only accept more do no harm; the table has all others.
  if (node.domain !== '' || from > to || from < OLDEST_OPSET || to > NEWEST_OPSET) return false
  const changes = Object.keys(opRow(upgradeTable, node) ?? {}).map(Number)
  return !changes.some((version) => version > from && version <= to)
}

function* nodesOf(nodes: readonly Node[]): Generator<Node> {
  for (const node of nodes) {
    yield node
    for (const body of subgraphsOf(node)) yield* walkNodes(body, { subgraphs: 'visit' })
  }
}

/** Functions that are still called, by each other and by training graphs too. */
function calledFunctions(
  model: Model,
  functions: Expansion['functions'],
): readonly FunctionDefinition[] {
  const called = new Set<FunctionDefinition>()
  const visit = (nodes: Iterable<Node>) => {
    for (const node of nodes) {
      const definition = functions.get(keyOf(node, node.opType))
      if (definition === undefined || called.has(definition)) continue
      called.add(definition)
      visit(nodesOf(definition.nodes))
    }
  }
  for (const graph of graphsOf(model)) visit(walkNodes(graph, { subgraphs: 'visit' }))
  return model.functions.filter((definition) => called.has(definition))
}

function graphsOf({ graph, trainingInfo = [] }: Model): readonly Graph[] {
  const training = trainingInfo.flatMap(({ initialization, algorithm }) => [
    initialization,
    algorithm,
  ])
  return [graph, ...training.filter((one) => one !== undefined)]
}

/** Without the domains that only calls used; with those that expanded bodies brought. */
function neededImports(model: Model, { functions, imports }: Expansion): readonly OpsetImport[] {
  const used = new Set<string>()
  const use = (nodes: Iterable<Node>) => {
    for (const { domain } of nodes) used.add(domain)
  }
  for (const graph of graphsOf(model)) use(walkNodes(graph, { subgraphs: 'visit' }))
  for (const { nodes } of model.functions) use(nodesOf(nodes))
  const ofFunctions = new Set([...functions.values()].map(({ domain }) => domain))
  const known = new Set(model.opsetImports.map(({ domain }) => domain))
  return [...imports]
    .filter(
      ([domain]) =>
        domain === '' || used.has(domain) || (known.has(domain) && !ofFunctions.has(domain)),
    )
    .map(([domain, version]) => ({ domain, version }))
}
