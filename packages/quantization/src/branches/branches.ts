// Branches of If as models of their own, so that whatever looks at a main graph can look at a branch:
// what a branch captures are inputs of its model, and captured constants are initializers.
import {
  attr,
  type Attribute,
  definedValues,
  freeValues,
  type Graph,
  indexGraph,
  mapSubgraphs,
  type Model,
  type Node,
  type Value,
} from '@pare/graph'
import type { Tensor } from '@pare/tensor'

const BRANCHES = ['then_branch', 'else_branch'] as const

export interface Branch {
  /** The If, in the main graph of `outer`. */
  readonly node: Node
  readonly name: (typeof BRANCHES)[number]
  readonly outer: Model
  readonly model: Model
}

/** The branches of the Ifs in the main graph; those in branches are in the main graphs of their models. */
export function branchesOf(outer: Model): readonly Branch[] {
  const nodes = outer.graph.nodes.filter(isBranching)
  if (nodes.length === 0) return []
  const index = indexGraph(outer.graph)
  return nodes.flatMap((node) =>
    BRANCHES.flatMap((name) => {
      const attribute = node.attributes.get(name)
      if (attribute?.type !== 'graph') return []
      return [{ node, name, outer, model: standAlone(attribute.value, outer, index) }]
    }),
  )
}

export function isBranching({ opType, domain }: Node): boolean {
  return opType === 'If' && domain === ''
}

function standAlone(body: Graph, outer: Model, index: ReturnType<typeof indexGraph>): Model {
  const constants = new Map<string, Tensor>()
  const inputs: Value[] = []
  for (const name of freeValues(body)) {
    const constant = index.constant(name)
    if (constant !== undefined) constants.set(name, constant)
    else inputs.push(index.value(name) ?? { name, metadataProps: [] })
  }
  const initializers = new Map([...constants, ...body.initializers])
  return { ...outer, graph: { ...body, inputs, initializers } }
}

/** A name that nothing in the whole model uses, made from a hint. */
export type UniqueName = (hint: string) => string

export interface ChangedBranch {
  readonly branch: Branch
  /** `branch.model` after a change that kept the names of its inputs and outputs. */
  readonly model: Model
}

export interface PutBack {
  /** `outer` with the changed branches in it. */
  readonly model: Model
  /** What the new values of a branch are called now, by their names in the branch's model. */
  readonly renamed: ReadonlyMap<Branch, ReadonlyMap<string, string>>
}

/**
 * Puts branches back into the model they are of. Values that are new in a branch get names that
 * nothing else has; operator sets that a branch needs are imported.
 */
export function putBack(
  outer: Model,
  changes: readonly ChangedBranch[],
  uniqueName: UniqueName,
): PutBack {
  const renamed = new Map<Branch, ReadonlyMap<string, string>>()
  const attributes = new Map<Node, Map<string, Attribute>>()
  const imports = new Map(outer.opsetImports.map((opset) => [opset.domain, opset]))
  for (const { branch, model } of changes) {
    const { node, name } = branch
    const names = newNames(branch.model.graph, model.graph, uniqueName)
    renamed.set(branch, names)
    const changed = attributes.get(node) ?? new Map(node.attributes)
    changed.set(name, attr.graph(asBody(renameAll(model.graph, names), bodyOf(branch))))
    attributes.set(node, changed)
    for (const opset of model.opsetImports) {
      if (!imports.has(opset.domain)) imports.set(opset.domain, opset)
    }
  }
  const nodes = outer.graph.nodes.map((node) => {
    const changed = attributes.get(node)
    return changed === undefined ? node : { ...node, attributes: changed }
  })
  const opsetImports = [...imports.values()]
  return { model: { ...outer, opsetImports, graph: { ...outer.graph, nodes } }, renamed }
}

function bodyOf({ node, name }: Branch): Graph {
  const attribute = node.attributes.get(name)
  if (attribute?.type !== 'graph') throw new Error('a branch is made of a graph')
  return attribute.value
}

function newNames(before: Graph, after: Graph, uniqueName: UniqueName): Map<string, string> {
  const known = new Set(definedValues(before))
  const names = new Map<string, string>()
  for (const name of definedValues(after)) if (!known.has(name)) names.set(name, uniqueName(name))
  return names
}

/** Without what it captures, which it reads from outside again. */
function asBody(changed: Graph, body: Graph): Graph {
  const captured = freeValues(body)
  const initializers = [...changed.initializers].filter(([name]) => !captured.has(name))
  return { ...changed, inputs: body.inputs, initializers: new Map(initializers) }
}

/** The names are of no other value in the graphs inside, so these need no care. */
function renameAll(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const rename = (name: string) => names.get(name) ?? name
  const renameValue = (value: Value) => ({ ...value, name: rename(value.name) })
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({
      ...mapSubgraphs(node, (body) => renameAll(body, names)),
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    })),
    outputs: graph.outputs.map(renameValue),
    initializers: new Map([...graph.initializers].map(([name, one]) => [rename(name), one])),
    valueInfo: graph.valueInfo.map(renameValue),
  }
}
