// Weights in bodies of If, Loop and Scan become initializers of the main graph, where every pass and
// quantizer finds them, and where branches with the same weight share it. Rules:
// 1. Float constants of one dimension or more move: initializers and Constant nodes, unless the body
//    gives them out or lets an input override them. Shapes, axes and scalars stay where they are.
// 2. So do nodes that only lay out or convert constants (Transpose, Reshape, Cast, Slice and Concat,
//    as exporters put gates into the order of LSTM), with the constants they read: folding computes
//    them afterwards.
// 3. They get names that no graph of the model has.
import {
  editGraph,
  type GraphEditor,
  type Model,
  type Node,
  type Pass,
  type PassResult,
  readValues,
  subgraphsOf,
} from '@pare/graph'
import { opSet } from '@pare/ops'
import type { Tensor } from '@pare/tensor'

export function hoistConstants(): Pass {
  return { name: 'hoist_constants', run }
}

/** Bodies of other operators (BeamSearch, SequenceMap) follow rules of their own. */
const CONTROL_FLOW = opSet('If', 'Loop', 'Scan')

/** Rule 2: they make nothing larger, and cost nothing where they are not folded after all. */
const LAYOUT_OPS = opSet(
  'Cast',
  'Concat',
  'Flatten',
  'Identity',
  'Reshape',
  'Slice',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
)

const FLOATS: ReadonlySet<string> = new Set(['bfloat16', 'float16', 'float32', 'float64'])

function run(model: Model): PassResult {
  if (!model.graph.nodes.some((node) => subgraphsOf(node).length > 0)) {
    return { model, modified: false, diagnostics: [] }
  }
  const hoisting = new Hoisting(editGraph(model))
  for (const node of model.graph.nodes) hoisting.enter(hoisting.main, node)
  if (!hoisting.modified) return { model, modified: false, diagnostics: [] }
  return { model: hoisting.main.finish(), modified: true, diagnostics: [] }
}

class Hoisting {
  readonly main: GraphEditor
  modified = false
  /** Values of the main graph that moved there, or are computed there from such. */
  private readonly moved = new Set<string>()

  constructor(main: GraphEditor) {
    this.main = main
  }

  enter(editor: GraphEditor, node: Node): void {
    const isControlFlow = node.domain === '' && CONTROL_FLOW.has(node.opType)
    if (isControlFlow) editor.editBodies(node, (body) => this.empty(body))
  }

  private empty(body: GraphEditor): void {
    for (const original of body.nodes()) {
      // Its inputs may have got new names in the meantime.
      const node = body.current(original)!
      if (this.laysOutConstants(body, node)) this.moveNode(body, node)
      else this.moveWeights(body, node)
      const left = body.current(node)
      if (left !== undefined) this.enter(body, left)
    }
    body.removeUnusedInitializers()
  }

  private laysOutConstants(body: GraphEditor, node: Node): boolean {
    if (node.domain !== '' || !LAYOUT_OPS.has(node.opType) || node.inputs.length === 0) return false
    if (node.outputs.length !== 1 || body.isGraphOutput(node.outputs[0]!)) return false
    return node.inputs.every(
      (input) => input === '' || this.isReadable(input) || ownConstant(body, input) !== undefined,
    )
  }

  /** Whether the main graph has the constant: one of a body in between it cannot read. */
  private isReadable(value: string): boolean {
    return this.moved.has(value) || this.main.constant(value) !== undefined
  }

  private moveWeights(body: GraphEditor, node: Node): void {
    for (const input of readValues(node)) {
      const tensor = ownConstant(body, input)
      if (tensor !== undefined && tensor.dims.length > 0 && FLOATS.has(tensor.dataType)) {
        this.moveConstant(body, input, tensor)
      }
    }
  }

  private moveConstant(body: GraphEditor, value: string, tensor: Tensor): string {
    const name = this.main.addInitializer(value, tensor)
    const producer = body.producer(value)
    body.replaceUses(value, name)
    if (producer !== undefined) body.removeNode(producer)
    this.moved.add(name)
    this.modified = true
    return name
  }

  private moveNode(body: GraphEditor, node: Node): void {
    const inputs = node.inputs.map((input) => {
      const tensor = ownConstant(body, input)
      return tensor === undefined ? input : this.moveConstant(body, input, tensor)
    })
    const { opType, attributes, name } = node
    const added = this.main.addNode({ opType, name, inputs, attributes })
    body.replaceUses(node.outputs[0]!, added.outputs[0]!)
    body.removeNode(node)
    this.moved.add(added.outputs[0]!)
    this.modified = true
  }
}

/** A dense constant of the body itself that may leave it. */
function ownConstant(body: GraphEditor, value: string): Tensor | undefined {
  if (value === '' || body.isGraphInput(value) || body.isGraphOutput(value)) return undefined
  const isOwn = body.isInitializer(value) || body.producer(value) !== undefined
  return isOwn ? body.constant(value) : undefined
}
