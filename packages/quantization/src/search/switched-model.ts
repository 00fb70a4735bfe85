// One model for the question what each layer costs alone: every layer stands in an If, whose branches
// compute it in float and with the rounding of its integers. A session is loaded once and asked with a
// number per layer, where a quantized model for each would take longer to load than to run.
import { attr, editGraph, type Graph, type GraphEditor, type Model, type Node } from '@pare/graph'
import { type RuntimeTensor, tensorFromFloat32, tensorFromInts } from '@pare/tensor'

import { isBranching } from '../branches/branches.js'
import type { IntegerLayer } from '../layers/integer-layers.js'
import type { QuantizedValueReport } from '../report/report.js'

export interface SwitchedModel {
  readonly model: Model
  /** What to feed beside the data, so that the layer with this output alone is rounded; or none. */
  readonly choose: (output: string | undefined) => Readonly<Record<string, RuntimeTensor>>
}

/**
 * `layers` are of `integerLayersEverywhere(model, quantized)`. Rounding is what the specification has: values
 * through QuantizeLinear and DequantizeLinear, weights as their integers give them back; biases in
 * int32 lose nothing that could be seen.
 */
export function switchedModel(model: Model, layers: readonly IntegerLayer[]): SwitchedModel {
  const editor = editGraph(model)
  const chosen = editor.uniqueName('chosen')
  switchLayers(editor, layers, chosen)
  const { graph, ...rest } = editor.finish()
  const input = {
    name: chosen,
    type: { kind: 'tensor', elementType: 'int64', shape: [] } as const,
    metadataProps: [],
  }
  const numbers = new Map(layers.map(({ report }, i) => [report.output, i]))
  return {
    model: { ...rest, graph: { ...graph, inputs: [...graph.inputs, input] } },
    choose: (output) => {
      const number = output === undefined ? NONE : numbers.get(output)!
      return {
        [chosen]: { dataType: 'int64', dims: [], data: BigInt64Array.of(BigInt(number)) },
      }
    },
  }
}

const NONE = -1

/** Those of the editor's graph, and those of the branches in it. */
function switchLayers(editor: GraphEditor, layers: readonly IntegerLayer[], chosen: string): void {
  for (const node of editor.nodes().filter(isBranching)) {
    editor.editBodies(node, (body) => switchLayers(body, layers, chosen))
  }
  for (const [number, layer] of layers.entries()) {
    if (editor.current(layer.float.node) === undefined) continue
    switchLayer(editor, layer, { chosen, number })
  }
}

interface Switch {
  /** The input that holds the number of the layer to round. */
  readonly chosen: string
  readonly number: number
}

/** Puts an If into the place of a layer: of its node, and of the Add behind it that is its bias. */
function switchLayer(editor: GraphEditor, layer: IntegerLayer, { chosen, number }: Switch): void {
  const nodes = nodesOf(layer)
  const constant = editor.addInitializer('number', tensorFromInts('int64', [], [number]))
  const isChosen = editor.addNode({ opType: 'Equal', inputs: [chosen, constant] }).outputs[0]!
  const thenBranch = roundedBranch(editor, layer, nodes)
  const elseBranch = new Branch(editor, 'float')
  elseBranch.copy(nodes, new Map())
  for (const node of nodes.toReversed()) editor.removeNode(node)
  editor.addNode({
    opType: 'If',
    inputs: [isChosen],
    outputs: [layer.report.output],
    attributes: {
      then_branch: attr.graph(thenBranch.graph()),
      else_branch: attr.graph(elseBranch.graph()),
    },
  })
}

/** MatMul and the Add of its bias are one layer where they became a Gemm. */
function nodesOf({ float: { node }, addition, report }: IntegerLayer): readonly Node[] {
  return addition?.node.outputs[0] === report.output ? [node, addition.node] : [node]
}

/** A clamp behind the layer is in the range of its output, so it has nothing left to do. */
function roundedBranch(
  editor: GraphEditor,
  { report, float, integers }: IntegerLayer,
  nodes: readonly Node[],
): Branch {
  const [input = '', weight = ''] = float.node.inputs
  const { weightFactor } = float
  // The factor stays in the node, while the integers hold it.
  const values = integers.values()
  if (weightFactor !== 1) for (let i = 0; i < values.length; i++) values[i]! /= weightFactor
  const rounded = editor.addInitializer('rounded', tensorFromFloat32(float.weight.dims, values))
  const branch = new Branch(editor, 'rounded')
  const replaced = new Map([[weight, rounded]])
  replaced.set(input, branch.roundTrip(input, report.input))
  branch.copy(nodes, replaced)
  branch.roundTrip(branch.output, report.outputValue)
  return branch
}

/** The body of an If; its output is what its last node makes. */
class Branch {
  private readonly editor: GraphEditor
  private readonly name: string
  private readonly nodes: Node[] = []

  constructor(editor: GraphEditor, name: string) {
    this.editor = editor
    this.name = name
  }

  get output(): string {
    return this.nodes.at(-1)!.outputs[0]!
  }

  /** The nodes with fresh outputs; they read `replaced` values where there are any. */
  copy(nodes: readonly Node[], replaced: ReadonlyMap<string, string>): void {
    const names = new Map(replaced)
    for (const node of nodes) {
      const inputs = node.inputs.map((input) => names.get(input) ?? input)
      const [output = ''] = node.outputs
      names.set(output, this.add({ ...node, inputs }))
    }
  }

  /** A value through its 8 bits and back. Wider integers lose nothing that could be seen. */
  roundTrip(value: string, params: QuantizedValueReport | undefined): string {
    if (params?.type !== 'uint8' && params?.type !== 'int8') return value
    const { type, scale, zeroPoint } = params
    const parameters = [
      this.editor.addInitializer('scale', tensorFromFloat32([], Float32Array.of(scale))),
      this.editor.addInitializer('zero', tensorFromInts(type, [], [zeroPoint])),
    ]
    const quantized = this.add({ opType: 'QuantizeLinear', inputs: [value, ...parameters] })
    return this.add({ opType: 'DequantizeLinear', inputs: [quantized, ...parameters] })
  }

  graph(): Graph {
    const outputs = [{ name: this.output, metadataProps: [] }]
    return {
      ...{ name: this.name, nodes: this.nodes, inputs: [], outputs, valueInfo: [] },
      ...{ initializers: new Map(), sparseInitializers: [], metadataProps: [] },
    }
  }

  private add(spec: Pick<Node, 'opType' | 'inputs'> & Partial<Node>): string {
    const output = this.editor.uniqueName(this.name)
    const plain = { domain: '', name: '', attributes: new Map(), metadataProps: [] }
    this.nodes.push({ ...plain, ...spec, outputs: [output] })
    return output
  }
}
