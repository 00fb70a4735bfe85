// Rules, in the order of the checks:
// 1. Graph inputs, initializers and node outputs are each defined once (an initializer may share
//    the name of a graph input: its default), and never shadow a name of an enclosing graph.
// 2. Every name a node reads is defined before it, in its graph or an enclosing one.
// 3. Graph outputs are defined, and no output is listed twice.
// 4. Node names, where given, are unique in their graph.
// 5. Every domain that a node uses is imported.
import { describeNode, nodeLabel } from './attributes.js'
import { errors } from './errors.js'
import type { FunctionDefinition, Graph, Model, Node, OpsetImport } from './model.js'
import { subgraphsOf } from './walk.js'

export interface ModelFault {
  readonly code:
    | 'duplicate_value'
    | 'undefined_value'
    | 'undefined_output'
    | 'duplicate_output'
    | 'duplicate_node_name'
    | 'domain_not_imported'
  readonly message: string
  readonly node?: string
}

/** Throws `graph_invalid`, naming the first broken rule and its node; details list up to 20. */
export function checkModel(model: Model): void {
  const faults = findModelFaults(model)
  const [first] = faults
  if (first === undefined) return
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  throw errors.graph_invalid(first.message + more, {
    details: { faults: faults.slice(0, 20), count: faults.length },
  })
}

/** Every broken rule, in graph order; empty for a valid model. */
export function findModelFaults(model: Model): readonly ModelFault[] {
  const faults: ModelFault[] = []
  checkGraph(model.graph, { outer: [], domains: domainsOf(model.opsetImports), faults })
  for (const definition of model.functions) checkFunction(definition, model, faults)
  return faults
}

interface Scope {
  readonly outer: readonly ReadonlySet<string>[]
  readonly domains: ReadonlySet<string>
  readonly faults: ModelFault[]
}

function domainsOf(imports: readonly OpsetImport[]): Set<string> {
  return new Set(imports.map((opset) => opset.domain))
}

function checkGraph(graph: Graph, scope: Scope): void {
  const defined = new Set<string>()
  const where = `graph "${graph.name}"`
  for (const input of graph.inputs) define(input.name, { defined, scope, where })
  const inputs = new Set(defined)
  for (const name of graph.initializers.keys()) {
    if (!inputs.has(name)) define(name, { defined, scope, where })
  }
  for (const { name } of graph.sparseInitializers) {
    if (!inputs.has(name)) define(name, { defined, scope, where })
  }
  checkNodes(graph.nodes, defined, scope)
  checkOutputs(graph, defined, scope)
}

function checkFunction(definition: FunctionDefinition, model: Model, faults: ModelFault[]): void {
  const imports = definition.opsetImports.length > 0 ? definition.opsetImports : model.opsetImports
  const scope: Scope = { outer: [], domains: domainsOf(imports), faults }
  const where = `function "${definition.domain}.${definition.name}"`
  const defined = new Set<string>()
  for (const name of definition.inputs) define(name, { defined, scope, where })
  checkNodes(definition.nodes, defined, scope)
  for (const name of definition.outputs) {
    if (defined.has(name)) continue
    faults.push({
      code: 'undefined_output',
      message: `${where} has an output "${name}" that nothing produces`,
    })
  }
}

function checkNodes(nodes: readonly Node[], defined: Set<string>, scope: Scope): void {
  const names = new Set<string>()
  for (const node of nodes) {
    const label = nodeLabel(node)
    if (node.name !== '' && names.has(node.name)) {
      fault(scope, node, 'duplicate_node_name', `two nodes are named "${node.name}"`)
    }
    names.add(node.name)
    if (!scope.domains.has(node.domain)) {
      const message = `${describeNode(node)} is of domain "${node.domain}", which is not imported`
      fault(scope, node, 'domain_not_imported', message)
    }
    for (const input of node.inputs) {
      if (input === '' || defined.has(input) || scope.outer.some((names) => names.has(input))) {
        continue
      }
      const message = `${describeNode(node)} reads "${input}", which nothing before it defines`
      fault(scope, node, 'undefined_value', message)
    }
    for (const body of subgraphsOf(node)) {
      checkGraph(body, { ...scope, outer: [...scope.outer, defined] })
    }
    for (const output of node.outputs) {
      if (output !== '') define(output, { defined, scope, where: describeNode(node), node: label })
    }
  }
}

function checkOutputs(graph: Graph, defined: ReadonlySet<string>, scope: Scope): void {
  const seen = new Set<string>()
  for (const { name } of graph.outputs) {
    // A body may return a value of an enclosing graph as it is.
    if (!defined.has(name) && !scope.outer.some((names) => names.has(name))) {
      const message = `graph "${graph.name}" has an output "${name}" that nothing produces`
      scope.faults.push({ code: 'undefined_output', message })
    }
    if (seen.has(name) && scope.outer.length === 0) {
      const message = `graph "${graph.name}" lists its output "${name}" twice`
      scope.faults.push({ code: 'duplicate_output', message })
    }
    seen.add(name)
  }
}

interface Definition {
  readonly defined: Set<string>
  readonly scope: Scope
  readonly where: string
  readonly node?: string
}

function define(name: string, { defined, scope, where, node }: Definition): void {
  if (defined.has(name) || scope.outer.some((names) => names.has(name))) {
    scope.faults.push({
      code: 'duplicate_value',
      message: `${where} defines "${name}", which is defined already`,
      ...(node === undefined ? {} : { node }),
    })
  }
  defined.add(name)
}

function fault(scope: Scope, node: Node, code: ModelFault['code'], message: string): void {
  scope.faults.push({ code, message, node: nodeLabel(node) })
}
