// A model in float16 becomes one in float32, so that it can be quantized: scales are computed, and
// integer kernels fused, for float32. Rules:
// 1. float16 constants, declared types and the types that Cast and its like name become float32, in
//    the main graph and in every body. What was float32 stays, so operators that demand one type
//    for all inputs still get one.
// 2. Inputs and outputs of the model keep float16: a Cast stands behind each input and before each
//    output. Those of bodies change with the rest.
// 3. All or nothing: functions that were not expanded, inputs or outputs that are sequences of
//    float16, and constants in a file that is not at hand leave the model as it is, with a
//    diagnostic. Constants that are read from a file are held in memory afterwards.
import {
  attr,
  type Attribute,
  type Diagnostic,
  editGraph,
  type Graph,
  type GraphEditor,
  mapSubgraphs,
  mapTensors,
  type Model,
  type Node,
  type Pass,
  type PassResult,
  tensorsOf,
  type Value,
  type ValueType,
  walkGraphs,
} from '@pare/graph'
import { dataTypeNumber, type Tensor, tensorFromFloat32, toFloat32 } from '@pare/tensor'

export function widenFloat16(): Pass {
  return { name: 'widen_float16', run }
}

const FLOAT16 = dataTypeNumber('float16')
const FLOAT32 = dataTypeNumber('float32')

/** Attributes of ai.onnx operators that name the type of an output, or of the arithmetic. */
const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'to',
  'dtype',
  'output_datatype',
  'output_dtype',
  'softmax_precision',
])

function run(model: Model): PassResult {
  const constants = tensorsOf(model).filter(isNarrow).length
  if (constants === 0 && !declaresNarrow(model.graph)) {
    return { model, modified: false, diagnostics: [] }
  }
  const obstacle = findObstacle(model)
  if (obstacle !== undefined) return { model, modified: false, diagnostics: [kept(obstacle)] }
  const inner = mapTensors(model, (tensor) => (isNarrow(tensor) ? widen(tensor) : tensor))
  const graph = widenGraph(inner.graph)
  const wide = {
    ...inner,
    graph: { ...graph, inputs: model.graph.inputs, outputs: model.graph.outputs },
  }
  return { model: withCasts(wide), modified: true, diagnostics: [widened(constants)] }
}

function isNarrow({ dataType }: Tensor): boolean {
  return dataType === 'float16'
}

function widen(tensor: Tensor): Tensor {
  return tensorFromFloat32(tensor.dims, toFloat32(tensor))
}

function declaresNarrow(graph: Graph): boolean {
  return [...walkGraphs(graph)].some(
    ({ inputs, outputs, valueInfo, nodes }) =>
      [...inputs, ...outputs, ...valueInfo].some(({ type }) => holdsNarrow(type)) ||
      nodes.some((node) => [...node.attributes].some(([name, value]) => namesNarrow(name, value))),
  )
}

function holdsNarrow(type: ValueType | undefined): boolean {
  switch (type?.kind) {
    case 'tensor':
    case 'sparse_tensor':
      return type.elementType === 'float16'
    case 'sequence':
    case 'optional':
      return holdsNarrow(type.element)
    case 'map':
      return holdsNarrow(type.value)
    default:
      return false
  }
}

function findObstacle(model: Model): string | undefined {
  if (model.functions.length > 0) return 'it has functions that could not be expanded'
  const border = [...model.graph.inputs, ...model.graph.outputs]
  if (border.some(({ type }) => type?.kind !== 'tensor' && holdsNarrow(type))) {
    return 'an input or output holds float16 in a sequence'
  }
  const isOutOfReach = ({ data }: Tensor) => data.kind === 'external' && data.read === undefined
  return tensorsOf(model).some((tensor) => isNarrow(tensor) && isOutOfReach(tensor))
    ? 'constants lie in a file that is not at hand'
    : undefined
}

function widenGraph(graph: Graph): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map(widenValue),
    outputs: graph.outputs.map(widenValue),
    valueInfo: graph.valueInfo.map(widenValue),
    nodes: graph.nodes.map((node) => widenNode(mapSubgraphs(node, widenGraph))),
  }
}

function widenValue(value: Value): Value {
  return holdsNarrow(value.type) ? { ...value, type: widenType(value.type!) } : value
}

function widenType(type: ValueType): ValueType {
  switch (type.kind) {
    case 'tensor':
    case 'sparse_tensor':
      return type.elementType === 'float16' ? { ...type, elementType: 'float32' } : type
    case 'sequence':
    case 'optional':
      return { ...type, element: widenType(type.element) }
    case 'map':
      return { ...type, value: widenType(type.value) }
    default:
      return type
  }
}

function namesNarrow(name: string, attribute: Attribute): boolean {
  if (attribute.type === 'type') return holdsNarrow(attribute.value)
  return (
    TYPE_ATTRIBUTES.has(name) && attribute.type === 'int' && Number(attribute.value) === FLOAT16
  )
}

function widenNode(node: Node): Node {
  if (![...node.attributes].some(([name, value]) => namesNarrow(name, value))) return node
  const attributes = [...node.attributes].map(([name, value]): [string, Attribute] => {
    if (!namesNarrow(name, value)) return [name, value]
    return value.type === 'type'
      ? [name, { ...value, value: widenType(value.value) }]
      : [name, attr.int(FLOAT32)]
  })
  return { ...node, attributes: new Map(attributes) }
}

function withCasts(model: Model): Model {
  const editor = editGraph(model)
  for (const { name, type } of model.graph.inputs) if (holdsNarrow(type)) castInput(editor, name)
  for (const { name, type } of model.graph.outputs) if (holdsNarrow(type)) castOutput(editor, name)
  return editor.finish()
}

function castInput(editor: GraphEditor, name: string): void {
  const [wide] = editor.addNode(cast(name, FLOAT32)).outputs
  const node = editor.producer(wide!)!
  editor.replaceUses(name, wide!, { except: [node] })
}

/** The output keeps its name and shows the Cast of what it showed before. */
function castOutput(editor: GraphEditor, name: string): void {
  const [narrow] = editor.addNode(cast(name, FLOAT16)).outputs
  const node = editor.producer(narrow!)!
  const readers = editor.consumers(name).filter((reader) => reader !== node)
  editor.replaceUses(name, narrow!, { except: [node, ...readers] })
}

function cast(value: string, to: number) {
  return { opType: 'Cast', inputs: [value], attributes: { to: attr.int(to) } }
}

function widened(constants: number): Diagnostic {
  return {
    severity: 'info',
    code: 'float16_widened',
    message: `the model computes in float16: ${constants} of its constants were widened to float32, so that it can be quantized; its inputs and outputs keep their types`,
  }
}

function kept(reason: string): Diagnostic {
  return {
    severity: 'warning',
    code: 'float16_not_widened',
    message: `the model stays in float16, where little can be quantized: ${reason}`,
  }
}
