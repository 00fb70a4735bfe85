// Rules, in the order of the checks; where onnx.checker and onnxruntime are more lenient, so is this.
// 1. Graph inputs, initializers and node outputs are each defined once (an initializer may share
//    the name of a graph input: its default). A node output never hides a name of an enclosing
//    graph; inputs and initializers of a body may.
// 2. Every name a node reads is defined before it, in its graph or an enclosing one.
// 3. Graph outputs are defined in the graph itself: a body does not return an outer value as it is.
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
    | 'not_in_order'
    | 'undefined_output'
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
  const own: Scope = { ...scope, outer: [] }
  for (const input of graph.inputs) define(input.name, { defined, scope: own, where })
  const inputs = new Set(defined)
  const initializers = [...graph.initializers.keys(), ...graph.sparseInitializers.map(nameOf)]
  for (const name of initializers) {
    if (!inputs.has(name)) define(name, { defined, scope: own, where })
  }
  checkNodes(graph.nodes, defined, scope)
  for (const { name } of graph.outputs) {
    if (defined.has(name)) continue
    const message = `${where} has an output "${name}" that nothing in it produces`
    scope.faults.push({ code: 'undefined_output', message })
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name
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
  const isProducedLater = laterProducers(nodes)
  for (const node of nodes) {
    if (node.name !== '' && names.has(node.name)) {
      fault(scope, node, 'duplicate_node_name', `two nodes are named "${node.name}"`)
    }
    names.add(node.name)
    if (!scope.domains.has(node.domain)) {
      const message = `${describeNode(node)} is of domain "${node.domain}", which is not imported`
      fault(scope, node, 'domain_not_imported', message)
    }
    for (const input of node.inputs) {
      if (input === '' || isVisible(input, defined, scope)) continue
      const reads = `${describeNode(node)} reads "${input}"`
      if (isProducedLater(input)) {
        fault(scope, node, 'not_in_order', `${reads}, which only a later node produces`)
      } else fault(scope, node, 'undefined_value', `${reads}, which nothing defines`)
    }
    for (const body of subgraphsOf(node)) {
      checkGraph(body, { ...scope, outer: [...scope.outer, defined] })
    }
    const definition = { defined, scope, where: describeNode(node), node: nodeLabel(node) }
    for (const output of node.outputs) if (output !== '') define(output, definition)
  }
}

function isVisible(name: string, defined: ReadonlySet<string>, { outer }: Scope): boolean {
  return defined.has(name) || outer.some((names) => names.has(name))
}

/** Whether any of the nodes produces a name; collected when first asked, since most never ask. */
function laterProducers(nodes: readonly Node[]): (name: string) => boolean {
  let produced: ReadonlySet<string> | undefined
  return (name) => {
    produced ??= new Set(nodes.flatMap(({ outputs }) => outputs))
    return produced.has(name)
  }
}

interface Definition {
  readonly defined: Set<string>
  readonly scope: Scope
  readonly where: string
  readonly node?: string
}

function define(name: string, { defined, scope, where, node }: Definition): void {
  if (isVisible(name, defined, scope)) {
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
