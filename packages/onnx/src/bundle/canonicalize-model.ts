/**
 * Brings a model into the one form in which it is hashed, stored and given to onnxruntime:
 * 1. external data is inlined, so no path of the upload survives; large initializers are to be
 *    inlined when the model is written (`encodeInlined`), so that they need not be in memory;
 * 2. metadata, training information, device placements and long documentation are dropped;
 * 3. imports of domains that nothing uses are dropped (onnxruntime refuses unknown ones).
 */
import type {
  Attribute,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  SparseTensor,
  Value,
} from '@pare/graph'
import type { Tensor } from '@pare/tensor'

/** Bytes of a file that came with the model. */
export type ReadExternalData = (location: string, offset: number, length: number) => Uint8Array

export interface CanonicalizeOptions {
  readonly readExternalData?: ReadExternalData
  /** External initializers from this size on are read when their bytes are wanted. Default: none. */
  readonly minLaterBytes?: number
  /** Longest documentation text that is kept, in UTF-16 units. */
  readonly maxDocStringLength?: number
}

const DEFAULT_DOC_STRING_LENGTH = 1_024

/** Pure: the bytes of external tensors come from `readExternalData`, everything else is shared. */
export function canonicalizeModel(model: Model, options: CanonicalizeOptions = {}): Model {
  const { docString, ...rest } = without(model, 'deviceConfigurations', 'trainingInfo')
  const form = new CanonicalForm(options)
  return {
    ...rest,
    ...form.doc(docString),
    opsetImports: usedImports(model),
    metadataProps: [],
    graph: form.graph(model.graph),
    functions: model.functions.map((definition) => form.function(definition)),
  }
}

class CanonicalForm {
  readonly #readExternalData: ReadExternalData
  readonly #minLaterBytes: number
  readonly #maxDocStringLength: number

  constructor(options: CanonicalizeOptions) {
    this.#maxDocStringLength = options.maxDocStringLength ?? DEFAULT_DOC_STRING_LENGTH
    this.#minLaterBytes = options.minLaterBytes ?? Infinity
    this.#readExternalData =
      options.readExternalData ??
      ((location) => {
        throw new Error(`the model has external data in ${location}, but no reader was given`)
      })
  }

  doc(docString: string | undefined): { readonly docString?: string } {
    return docString === undefined || docString.length > this.#maxDocStringLength
      ? {}
      : { docString }
  }

  graph(graph: Graph): Graph {
    const { docString, ...rest } = graph
    return {
      ...rest,
      ...this.doc(docString),
      nodes: graph.nodes.map((node) => this.node(node)),
      inputs: graph.inputs.map((value) => this.value(value)),
      outputs: graph.outputs.map((value) => this.value(value)),
      valueInfo: graph.valueInfo.map((value) => this.value(value)),
      initializers: mapValues(graph.initializers, (tensor) => this.initializer(tensor)),
      sparseInitializers: graph.sparseInitializers.map((sparse) => this.sparseTensor(sparse)),
      metadataProps: [],
    }
  }

  function(definition: FunctionDefinition): FunctionDefinition {
    const { docString, ...rest } = definition
    return {
      ...rest,
      ...this.doc(docString),
      attributeDefaults: mapValues(definition.attributeDefaults, (value) => this.attribute(value)),
      nodes: definition.nodes.map((node) => this.node(node)),
      valueInfo: definition.valueInfo.map((value) => this.value(value)),
      metadataProps: [],
    }
  }

  node(node: Node): Node {
    const { docString, ...rest } = without(node, 'deviceConfigurations')
    return {
      ...rest,
      ...this.doc(docString),
      attributes: mapValues(node.attributes, (attribute) => this.attribute(attribute)),
      metadataProps: [],
    }
  }

  value(value: Value): Value {
    const { docString, ...rest } = value
    return { ...rest, ...this.doc(docString), metadataProps: [] }
  }

  attribute(attribute: Attribute): Attribute {
    switch (attribute.type) {
      case 'tensor':
        return { ...attribute, value: this.tensor(attribute.value) }
      case 'tensors':
        return { ...attribute, value: attribute.value.map((tensor) => this.tensor(tensor)) }
      case 'sparse_tensor':
        return { ...attribute, value: this.sparseTensor(attribute.value) }
      case 'sparse_tensors':
        return { ...attribute, value: attribute.value.map((sparse) => this.sparseTensor(sparse)) }
      case 'graph':
        return { ...attribute, value: this.graph(attribute.value) }
      case 'graphs':
        return { ...attribute, value: attribute.value.map((graph) => this.graph(graph)) }
      default:
        return attribute
    }
  }

  initializer(tensor: Tensor): Tensor {
    const { data } = tensor
    if (data.kind !== 'external' || data.length < this.#minLaterBytes) return this.tensor(tensor)
    const { docString, ...rest } = without(tensor, 'metadataProps')
    const { location, offset, length } = data
    const read = (start: number, end: number) =>
      this.#readExternalData(location, offset + start, end - start)
    const later = { kind: 'external', location, offset, length, read } as const
    return { ...rest, ...this.doc(docString), data: later }
  }

  tensor(tensor: Tensor): Tensor {
    const { docString, data, ...rest } = without(tensor, 'metadataProps')
    if (data.kind !== 'external') return { ...rest, ...this.doc(docString), data }
    const bytes = this.#readExternalData(data.location, data.offset, data.length)
    return { ...rest, ...this.doc(docString), data: { kind: 'bytes', bytes } }
  }

  sparseTensor(sparse: SparseTensor): SparseTensor {
    return { ...sparse, values: this.tensor(sparse.values), indices: this.tensor(sparse.indices) }
  }
}

function mapValues<V>(
  map: ReadonlyMap<string, V>,
  change: (value: V) => V,
): ReadonlyMap<string, V> {
  return new Map([...map].map(([name, value]) => [name, change(value)]))
}

function without<T extends object, K extends keyof T>(value: T, ...keys: readonly K[]): Omit<T, K> {
  const copy: Partial<T> = { ...value }
  for (const key of keys) Reflect.deleteProperty(copy, key)
  return copy as Omit<T, K>
}

function usedImports(model: Model): Model['opsetImports'] {
  const used = new Set(['', ...model.functions.map(({ domain }) => domain)])
  collectDomains(model.graph.nodes, used)
  for (const { nodes } of model.functions) collectDomains(nodes, used)
  return model.opsetImports.filter(({ domain }) => used.has(domain))
}

function collectDomains(nodes: readonly Node[], domains: Set<string>): void {
  for (const node of nodes) {
    domains.add(node.domain)
    for (const attribute of node.attributes.values()) {
      if (attribute.type === 'graph') collectDomains(attribute.value.nodes, domains)
      if (attribute.type === 'graphs') {
        for (const graph of attribute.value) collectDomains(graph.nodes, domains)
      }
    }
  }
}
