// A model that was exported for one sample at a time, made to take several. Whether it then computes
// for each what it did alone is found out by running it: nothing here can know. Rules:
// 1. Every input that is no initializer is a tensor whose first dimension is 1 or open; those of 1 get
//    the new size. With any other input (a scalar, a state) the model stays as it is, and so does one
//    with bodies, whose conditions hold for a whole batch.
// 2. Outputs and inner values keep type and rank and lose their sizes: wherever a layout has moved it,
//    the batch may be a factor of any of them.
// 3. A constant target of Reshape without -1 gets one in front, which is the same for one sample,
//    wherever the data is in the order of samples; one that begins with 1 and has its -1 elsewhere
//    gets a 0 in front, which copies the input's dimension, unless allowzero makes it a size.
// 4. Only targets that nothing but Reshapes read are changed.
import {
  type Dimension,
  type Graph,
  type GraphIndex,
  indexGraph,
  intAttribute,
  type Model,
  type Node,
  type Pass,
  type PassResult,
  subgraphsOf,
  type Value,
} from '@pare/graph'
import { type Tensor, tensorFromInts, toIntegers } from '@pare/tensor'

/** Throws RangeError unless `size` is a number of samples greater than 1. */
export function widenBatch(size: number): Pass {
  if (!Number.isInteger(size) || size < 2) {
    throw new RangeError(`a batch of ${size} is no batch of several samples`)
  }
  return { name: 'widen_batch', run: (model) => run(model, size) }
}

/**
 * A model that was made from a widened one, with the sizes that `original` declares: those of inputs,
 * outputs and inner values that are still there, and the targets of Reshape.
 */
export function restoreBatch(changed: Model, original: Model): Model {
  const { graph } = original
  const declared = new Map(
    [...graph.valueInfo, ...graph.inputs, ...graph.outputs].map((value) => [value.name, value]),
  )
  const restore = (value: Value) => withShapeOf(value, declared.get(value.name))
  const initializers = new Map(changed.graph.initializers)
  for (const name of openTargets(graph).keys()) {
    if (initializers.has(name)) initializers.set(name, graph.initializers.get(name)!)
  }
  return {
    ...changed,
    graph: {
      ...changed.graph,
      inputs: changed.graph.inputs.map(restore),
      outputs: changed.graph.outputs.map(restore),
      valueInfo: changed.graph.valueInfo.map(restore),
      initializers,
    },
  }
}

function run(model: Model, size: number): PassResult {
  const { graph } = model
  if (!hasBatchOfOne(graph) || graph.nodes.some((node) => subgraphsOf(node).length > 0)) {
    return { model, modified: false, diagnostics: [] }
  }
  const widened: Graph = {
    ...graph,
    inputs: graph.inputs.map((value) =>
      graph.initializers.has(value.name) ? value : withBatch(value, size),
    ),
    outputs: graph.outputs.map(withoutSizes),
    valueInfo: graph.valueInfo.map(withoutSizes),
    initializers: new Map([...graph.initializers, ...openTargets(graph)]),
  }
  return { model: { ...model, graph: widened }, modified: true, diagnostics: [] }
}

/** Whether some input has a batch of 1, and all have a batch. */
function hasBatchOfOne({ inputs, initializers }: Graph): boolean {
  const batches = inputs
    .filter(({ name }) => !initializers.has(name))
    .map((value) => shapeOf(value)?.[0])
  return (
    batches.some((batch) => batch?.size === 1) &&
    batches.every((batch) => batch !== undefined && (batch.size ?? 1) === 1)
  )
}

function withBatch(value: Value, size: number): Value {
  const [first, ...others] = shapeOf(value) ?? []
  return first?.size === undefined ? value : withShape(value, [{ size }, ...others])
}

function withoutSizes(value: Value): Value {
  const sizes = shapeOf(value)?.map(() => ({}))
  return sizes === undefined ? value : withShape(value, sizes)
}

function withShapeOf(value: Value, original: Value | undefined): Value {
  const shape = original === undefined ? undefined : shapeOf(original)
  return shape === undefined ? value : withShape(value, shape)
}

function shapeOf({ type }: Value): readonly Dimension[] | undefined {
  return type?.kind === 'tensor' ? type.shape : undefined
}

function withShape(value: Value, shape: readonly Dimension[]): Value {
  const { type } = value
  return type?.kind === 'tensor' ? { ...value, type: { ...type, shape } } : value
}

/** By their names, the targets of Reshape that are others in the widened model. */
function openTargets(graph: Graph): ReadonlyMap<string, Tensor> {
  const index = indexGraph(graph)
  const names = new Set(graph.nodes.filter(isReshape).map(({ inputs }) => inputs[1] ?? ''))
  const found = [...names].flatMap((name) => {
    const target = openTarget(name, index)
    return target === undefined ? [] : [[name, target] as const]
  })
  return new Map(found)
}

function openTarget(name: string, index: GraphIndex): Tensor | undefined {
  const tensor = index.isGraphInput(name) ? undefined : index.initializer(name)
  const readers = index.consumers(name)
  const isTargetAlone = readers.every(
    (node) => isReshape(node) && node.inputs[0] !== name && node.inputs[1] === name,
  )
  if (tensor === undefined || !isTargetAlone || index.isGraphOutput(name)) return undefined
  const [first = 0, ...others] = toIntegers(tensor)
  const isOpen = others.includes(-1)
  if (first < 1 || (isOpen && first !== 1)) return undefined
  const copies = isOpen || others.includes(0)
  if (copies && readers.some((node) => intAttribute(node, 'allowzero', 0) !== 0)) return undefined
  return { ...tensor, ...tensorFromInts('int64', tensor.dims, [isOpen ? 0 : -1, ...others]) }
}

function isReshape({ opType, domain }: Node): boolean {
  return opType === 'Reshape' && domain === ''
}
