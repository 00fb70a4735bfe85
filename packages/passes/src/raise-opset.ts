// Rewrites a model for a newer version of the default operator set. Per-channel Q/DQ needs opset
// 13, 16-bit and blocked Q/DQ need 21. Rules:
// 1. Version by version, each node is rewritten as the upgrade table says; bodies too.
// 2. All or nothing: one operator that the tables do not know, or one rule that refuses, leaves the
//    model as it is, with a diagnostic for each such node. Never a model that computes otherwise.
// 3. The IR version rises to what the opset asks for. Files before IR 4 had to list initializers
//    as inputs; those inputs go (freezeInitializers).
import {
  type Diagnostic,
  type Graph,
  indexGraph,
  mapSubgraphs,
  type Model,
  type Node,
  nodeLabel,
  onnxOpset,
  type Pass,
  type PassResult,
  runPass,
  type StaticGraphIndex,
  walkGraphs,
  walkNodes,
} from '@pare/graph'
import { NEWEST_OPSET, opRow, sinceVersion } from '@pare/ops'
import type { DataType, Tensor } from '@pare/tensor'

import { freezeInitializers } from './freeze-initializers.js'
import type { UpgradeContext } from './opset/upgrade.js'
import { OLDEST_OPSET, upgradeTable } from './opset/upgrade-table.js'
import { dataTypeOf, NO_SHAPES, rankOf, type ValueShapes } from './value-types.js'

export interface RaiseOpsetOptions {
  /** Ranks and types of values, where the file does not declare them. */
  readonly shapes?: ValueShapes
}

/** Does nothing to a model that already has `version` or a newer one. */
export function raiseOpset(version: number, options: RaiseOpsetOptions = {}): Pass {
  return { name: 'raise_opset', run: (model) => run(model, version, options.shapes ?? NO_SHAPES) }
}

function run(model: Model, version: number, shapes: ValueShapes): PassResult {
  const from = onnxOpset(model)
  if (from === 0 || from >= version) return { model, modified: false, diagnostics: [] }
  const obstacles = findObstacles(model, from, version)
  if (obstacles.length > 0) return { model, modified: false, diagnostics: obstacles }
  const start = model.irVersion < 4 ? runPass(freezeInitializers(), model).model : model
  const state: State = {
    shapes,
    names: allNames(start.graph),
    onlyFloatType: onlyFloatType(start.graph),
    refusals: [],
  }
  let { graph } = start
  for (let step = from + 1; step <= version && state.refusals.length === 0; step++) {
    graph = upgradeGraph(graph, { step, state, outer: undefined })
  }
  if (state.refusals.length > 0) return { model, modified: false, diagnostics: state.refusals }
  const opsetImports = model.opsetImports.map((opset) =>
    opset.domain === '' ? { ...opset, version } : opset,
  )
  const irVersion = Math.max(model.irVersion, irVersionOf(version))
  return { model: { ...start, graph, opsetImports, irVersion }, modified: true, diagnostics: [] }
}

/** The first IR version whose releases had the opset (onnx/docs/Versioning.md). */
function irVersionOf(opset: number): number {
  return IR_VERSIONS.find(([newest]) => opset <= newest)?.[1] ?? 13
}

/** Newest opset, IR version. */
const IR_VERSIONS = [
  [9, 3],
  [10, 5],
  [11, 6],
  [14, 7],
  [18, 8],
  [20, 9],
  [22, 10],
  [23, 11],
  [24, 12],
] as const

function findObstacles(model: Model, from: number, version: number): readonly Diagnostic[] {
  if (from < OLDEST_OPSET || version > NEWEST_OPSET) {
    const known = `${OLDEST_OPSET} to ${NEWEST_OPSET}`
    return [notRaised(`the changes from opset ${from} to ${version} are not known, only ${known}`)]
  }
  if (model.functions.length > 0)
    return [notRaised('the model has functions, which must be expanded first')]
  return [...walkNodes(model.graph, { subgraphs: 'visit' })]
    .filter((node) => node.domain === '' && sinceVersion(node, from) === undefined)
    .map((node) => notRaised(`opset ${from} has no operator ${node.opType}`, node))
}

function notRaised(reason: string, node?: Node): Diagnostic {
  const message = `the model keeps its opset: ${reason}`
  const where = node === undefined ? {} : { node: nodeLabel(node), opType: node.opType }
  return { severity: 'warning', code: 'opset_not_raised', message, ...where }
}

interface State {
  readonly shapes: ValueShapes
  readonly names: Set<string>
  readonly onlyFloatType: DataType | undefined
  readonly refusals: Diagnostic[]
}

interface Scope {
  readonly step: number
  readonly state: State
  /** Constants of the enclosing graphs. */
  readonly outer: ((value: string) => Tensor | undefined) | undefined
}

function upgradeGraph(graph: Graph, scope: Scope): Graph {
  const { step, state } = scope
  const index = indexGraph(graph)
  const added = new Map<string, Tensor>()
  const context = upgradeContext(index, scope, added)
  const nodes = graph.nodes.flatMap((original) => {
    const inner = { step, state, outer: context.constant }
    const node = mapSubgraphs(original, (body) => upgradeGraph(body, inner))
    const upgrade = upgradeOf(node, step)
    const result = upgrade?.(node, context) ?? [node]
    if ('refused' in result) {
      state.refusals.push(notRaised(`${result.refused} (opset ${step})`, node))
      return [node]
    }
    return result
  })
  if (nodes.length === graph.nodes.length && nodes.every((node, i) => node === graph.nodes[i])) {
    return graph
  }
  return { ...graph, nodes, initializers: new Map([...graph.initializers, ...added]) }
}

function upgradeOf(node: Node, step: number) {
  return opRow(upgradeTable, node)?.[step]
}

function upgradeContext(
  index: StaticGraphIndex,
  { state, outer }: Scope,
  added: Map<string, Tensor>,
): UpgradeContext {
  const freshName = (hint: string) => {
    let name = hint
    for (let i = 1; state.names.has(name); i++) name = `${hint}_${i}`
    state.names.add(name)
    return name
  }
  return {
    constant: (value) => index.constant(value) ?? added.get(value) ?? outer?.(value),
    rankOf: (value) => rankOf(value, index, state.shapes),
    dataTypeOf: (value) => dataTypeOf(value, index, state.shapes) ?? state.onlyFloatType,
    isUsed: (value) => index.consumers(value).length > 0 || index.isGraphOutput(value),
    freshName,
    addConstant: (hint, tensor) => {
      const name = freshName(hint)
      added.set(name, tensor)
      return name
    },
  }
}

function allNames(graph: Graph): Set<string> {
  const names = new Set<string>()
  for (const inner of walkGraphs(graph)) {
    for (const { name } of [...inner.inputs, ...inner.outputs]) names.add(name)
    for (const name of inner.initializers.keys()) names.add(name)
    for (const node of inner.nodes)
      for (const name of [...node.inputs, ...node.outputs]) names.add(name)
  }
  return names
}

const OTHER_FLOATS: ReadonlySet<DataType> = new Set(['float16', 'float64', 'bfloat16'])

/** float32, where the model has no other float type and no Cast that could make one. */
function onlyFloatType(graph: Graph): DataType | undefined {
  for (const inner of walkGraphs(graph)) {
    const types = [...inner.initializers.values()].map(({ dataType }) => dataType)
    for (const { type } of inner.inputs) if (type?.kind === 'tensor') types.push(type.elementType)
    if (types.some((type) => OTHER_FLOATS.has(type))) return undefined
    if (inner.nodes.some((node) => node.opType === 'Cast' || node.opType === 'CastLike'))
      return undefined
  }
  return 'float32'
}
