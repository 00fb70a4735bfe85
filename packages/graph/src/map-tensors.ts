// Changing tensors wherever they stand: initializers, sparse initializers, attributes, and the
// graphs and functions inside the model. What holds no changed tensor is shared, not copied.
import type { Tensor } from '@pare/tensor'

import type { Attribute, FunctionDefinition, Graph, Model, Node, SparseTensor } from './model.js'

export type TensorPlace = 'initializer' | 'sparse_initializer' | 'attribute'

/** Returns the tensor itself to leave it as it is. */
export type TensorChange = (tensor: Tensor, place: TensorPlace) => Tensor

/** The model with every tensor changed; each is visited once, in the order of the file. */
export function mapTensors(model: Model, change: TensorChange): Model {
  const training = model.trainingInfo?.map((info) => ({
    ...info,
    ...(info.initialization === undefined
      ? {}
      : { initialization: mapGraph(info.initialization, change) }),
    ...(info.algorithm === undefined ? {} : { algorithm: mapGraph(info.algorithm, change) }),
  }))
  return {
    ...model,
    graph: mapGraph(model.graph, change),
    functions: model.functions.map((definition) => mapFunction(definition, change)),
    ...(training === undefined ? {} : { trainingInfo: training }),
  }
}

/** Every tensor of the model, in the order in which `mapTensors` visits them. */
export function tensorsOf(model: Model): readonly Tensor[] {
  const found: Tensor[] = []
  mapTensors(model, (tensor) => {
    found.push(tensor)
    return tensor
  })
  return found
}

function mapGraph(graph: Graph, change: TensorChange): Graph {
  const initializers = new Map<string, Tensor>()
  for (const [name, tensor] of graph.initializers) {
    initializers.set(name, change(tensor, 'initializer'))
  }
  return {
    ...graph,
    nodes: graph.nodes.map((node) => mapNode(node, change)),
    initializers,
    sparseInitializers: graph.sparseInitializers.map((sparse) =>
      mapSparse(sparse, (tensor) => change(tensor, 'sparse_initializer')),
    ),
  }
}

function mapFunction(definition: FunctionDefinition, change: TensorChange): FunctionDefinition {
  return {
    ...definition,
    attributeDefaults: mapAttributes(definition.attributeDefaults, change),
    nodes: definition.nodes.map((node) => mapNode(node, change)),
  }
}

function mapNode(node: Node, change: TensorChange): Node {
  const attributes = mapAttributes(node.attributes, change)
  return attributes === node.attributes ? node : { ...node, attributes }
}

function mapAttributes(
  attributes: ReadonlyMap<string, Attribute>,
  change: TensorChange,
): ReadonlyMap<string, Attribute> {
  let changed: Map<string, Attribute> | undefined
  for (const [name, attribute] of attributes) {
    const next = mapAttribute(attribute, change)
    if (next !== attribute) (changed ??= new Map(attributes)).set(name, next)
  }
  return changed ?? attributes
}

function mapAttribute(attribute: Attribute, change: TensorChange): Attribute {
  const tensor = (value: Tensor) => change(value, 'attribute')
  switch (attribute.type) {
    case 'tensor':
      return keepSame(attribute, { ...attribute, value: tensor(attribute.value) })
    case 'tensors':
      return { ...attribute, value: attribute.value.map(tensor) }
    case 'sparse_tensor':
      return { ...attribute, value: mapSparse(attribute.value, tensor) }
    case 'sparse_tensors':
      return { ...attribute, value: attribute.value.map((value) => mapSparse(value, tensor)) }
    case 'graph':
      return { ...attribute, value: mapGraph(attribute.value, change) }
    case 'graphs':
      return { ...attribute, value: attribute.value.map((body) => mapGraph(body, change)) }
    default:
      return attribute
  }
}

type TensorAttribute = Extract<Attribute, { readonly type: 'tensor' }>

function keepSame(before: TensorAttribute, after: TensorAttribute): Attribute {
  return before.value === after.value ? before : after
}

function mapSparse(sparse: SparseTensor, change: (tensor: Tensor) => Tensor): SparseTensor {
  return { ...sparse, values: change(sparse.values), indices: change(sparse.indices) }
}
