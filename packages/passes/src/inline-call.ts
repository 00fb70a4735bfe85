// One call of a function as the nodes of its body: fresh names, attributes filled in.
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Node,
  NodeDeviceConfiguration,
  Value,
} from '@pare/graph'

export interface FreshNames {
  readonly value: (hint: string) => string
  readonly node: (hint: string) => string
}

/** Value names of the body → value names at the call; bodies of If, Loop and Scan see the outer. */
interface Names {
  readonly own: Map<string, string>
  readonly outer?: Names
}

interface Copying {
  readonly call: Node
  readonly definition: FunctionDefinition
  readonly fresh: FreshNames
}

/** Longer names fall back to a short one: nested calls would otherwise multiply their lengths. */
const MAX_NAME_LENGTH = 256

/** Why the call does not fit the function; undefined where it does. */
export function callMismatch(call: Node, definition: FunctionDefinition): string | undefined {
  const { inputs, outputs } = definition
  if (call.inputs.length > inputs.length) return `it takes ${inputs.length} inputs`
  if (call.outputs.length > outputs.length) return `it has ${outputs.length} outputs`
  const isOmitted = (name: string) => (call.inputs[inputs.indexOf(name)] ?? '') === ''
  const missing = outputs.find(
    (name, i) => (call.outputs[i] ?? '') !== '' && inputs.includes(name) && isOmitted(name),
  )
  return missing === undefined ? undefined : `it hands on its input "${missing}", which is omitted`
}

/** The nodes that compute what the call computes. `callMismatch` must have found nothing. */
export function bodyOfCall(
  call: Node,
  definition: FunctionDefinition,
  fresh: FreshNames,
): readonly Node[] {
  const copying: Copying = { call, definition, fresh }
  const own = new Map(definition.inputs.map((name, i) => [name, call.inputs[i] ?? ''] as const))
  const names: Names = { own }
  const handedOn: Node[] = []
  for (const [i, name] of definition.outputs.entries()) {
    const output = call.outputs[i] ?? ''
    if (output === '') continue
    // An input that is an output too, or one value under two outputs.
    const source = own.get(name)
    if (source === undefined) own.set(name, output)
    else handedOn.push(identity(source, output, copying))
  }
  for (const { outputs } of definition.nodes) {
    for (const name of outputs) if (!own.has(name)) nameValue(name, names, copying)
  }
  return [...definition.nodes.map((node) => copyNode(node, names, copying)), ...handedOn]
}

function identity(input: string, output: string, copying: Copying): Node {
  return {
    name: copying.fresh.node(hintOf('Identity', copying)),
    opType: 'Identity',
    domain: '',
    inputs: [input],
    outputs: [output],
    attributes: new Map(),
    metadataProps: [],
  }
}

function nameValue(name: string, { own }: Names, copying: Copying): string {
  if (name === '') return ''
  const fresh = copying.fresh.value(hintOf(name, copying))
  own.set(name, fresh)
  return fresh
}

function hintOf(name: string, { call }: Copying): string {
  const hint = `${call.name || call.opType}/${name}`
  return hint.length <= MAX_NAME_LENGTH ? hint : 'inlined'
}

function copyNode(node: Node, names: Names, copying: Copying): Node {
  const renamed = (name: string) => rename(name, names, copying)
  const { deviceConfigurations } = node
  return {
    ...node,
    name: copying.fresh.node(hintOf(node.name || node.opType, copying)),
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(renamed),
    attributes: copyAttributes(node, names, copying),
    ...(deviceConfigurations === undefined
      ? {}
      : { deviceConfigurations: deviceConfigurations.map((one) => onDevice(one, renamed)) }),
  }
}

function rename(name: string, names: Names, copying: Copying): string {
  for (let scope: Names | undefined = names; scope !== undefined; scope = scope.outer) {
    const known = scope.own.get(name)
    if (known !== undefined) return known
  }
  // What the body reads but does not define must not meet a value of the caller.
  return nameValue(name, names, copying)
}

function onDevice(
  configuration: NodeDeviceConfiguration,
  renamed: (name: string) => string,
): NodeDeviceConfiguration {
  const shardingSpecs = configuration.shardingSpecs.map((spec) => ({
    ...spec,
    tensorName: renamed(spec.tensorName),
  }))
  return { ...configuration, shardingSpecs }
}

function copyAttributes(node: Node, names: Names, copying: Copying): Node['attributes'] {
  const attributes = new Map<string, Attribute>()
  for (const [name, attribute] of node.attributes) {
    const bound = bind(attribute, copying)
    if (bound === undefined) continue
    // A graph that the call passes in stays as it is: its names are the caller's.
    attributes.set(name, bound === attribute ? copyGraphs(bound, names, copying) : bound)
  }
  return attributes
}

/** The call's attribute, else the default, else none at all. */
function bind(attribute: Attribute, { call, definition }: Copying): Attribute | undefined {
  if (attribute.type !== 'reference') return attribute
  return call.attributes.get(attribute.name) ?? definition.attributeDefaults.get(attribute.name)
}

function copyGraphs(attribute: Attribute, names: Names, copying: Copying): Attribute {
  if (attribute.type === 'graph') {
    return { ...attribute, value: copyGraph(attribute.value, names, copying) }
  }
  if (attribute.type === 'graphs') {
    return { ...attribute, value: attribute.value.map((body) => copyGraph(body, names, copying)) }
  }
  return attribute
}

/** A body of If, Loop or Scan: what it defines is named anew, what it captures is renamed. */
function copyGraph(graph: Graph, outer: Names, copying: Copying): Graph {
  const names: Names = { own: new Map(), outer }
  for (const { name } of graph.inputs) nameValue(name, names, copying)
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  for (const name of [...graph.initializers.keys(), ...graph.sparseInitializers.map(nameOf)]) {
    // One with the name of an input is that input's default.
    if (!inputs.has(name)) nameValue(name, names, copying)
  }
  for (const node of graph.nodes) for (const name of node.outputs) nameValue(name, names, copying)
  const renamed = (name: string) => rename(name, names, copying)
  const value = (declared: Value): Value => ({ ...declared, name: renamed(declared.name) })
  return {
    ...graph,
    nodes: graph.nodes.map((node) => copyNode(node, names, copying)),
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    valueInfo: graph.valueInfo.map(value),
    initializers: new Map([...graph.initializers].map(([name, one]) => [renamed(name), one])),
    sparseInitializers: graph.sparseInitializers.map((one) => ({
      ...one,
      name: renamed(one.name),
    })),
    // Notes for readers that nothing here or in onnxruntime computes with.
    quantizationAnnotations: [],
  }
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}
