// Shapes of all inner values from one real run. Each value gets a Shape node whose small output is
// returned, so that the run needs no more memory than an ordinary one.
import { editGraph, type Graph, type Model } from '@pare/graph'
import type { InferenceRuntime } from '@pare/inference'
import { encodeModel } from '@pare/onnx'
import { opFacts, type ShapeOf } from '@pare/ops'
import type { RuntimeTensor } from '@pare/tensor'

/** Learns the shapes that the values of the main graph have when the model is run on `feeds`. */
export async function learnShapes(
  model: Model,
  runtime: InferenceRuntime,
  feeds: Readonly<Record<string, RuntimeTensor>>,
): Promise<ShapeOf> {
  const probed = addShapeNodes(model)
  // Without optimization every value still exists.
  const session = await runtime.createSession(encodeModel(probed.model), {
    optimization: 'none',
    intraOpThreads: 1,
    memoryArena: false,
  })
  const shapes = new Map<string, readonly number[]>()
  try {
    const outputs = await session.run(feeds, [...probed.shapeOutputs.keys()])
    for (const [output, value] of probed.shapeOutputs) {
      shapes.set(value, Array.from(outputs[output]!.data as BigInt64Array, Number))
    }
  } finally {
    await session.release()
  }
  for (const [name, { dims }] of Object.entries(feeds)) shapes.set(name, dims)
  for (const [name, { dims }] of model.graph.initializers) shapes.set(name, dims)
  return (value) => shapes.get(value)
}

interface ProbedModel {
  readonly model: Model
  /** Output of the Shape node → value that it measures. */
  readonly shapeOutputs: ReadonlyMap<string, string>
}

function addShapeNodes(model: Model): ProbedModel {
  const editor = editGraph(model)
  const shapeOutputs = new Map<string, string>()
  for (const value of tensorValues(model.graph)) {
    const output = editor.uniqueName(`${value}_shape`)
    editor.addNode({ opType: 'Shape', inputs: [value], outputs: [output] })
    shapeOutputs.set(output, value)
  }
  editor.setOutputs([...shapeOutputs.keys()].map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), shapeOutputs }
}

/** Outputs of the nodes of the main graph, without those that may be sequences or optionals. */
function tensorValues(graph: Graph): readonly string[] {
  return graph.nodes
    .filter((node) => !['sequence', 'control_flow'].includes(opFacts(node)?.family ?? 'other'))
    .flatMap(({ outputs }) => outputs.filter((name) => name !== ''))
}
