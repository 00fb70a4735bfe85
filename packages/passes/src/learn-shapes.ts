// Shapes and types of all values, learned by running the model once on real inputs. There is no
// rule of shape inference to be wrong, and operators nobody knows are no obstacle. Rules:
// 1. Every value of the main graph becomes an output without a type; the runtime fills it in.
// 2. Values are fetched in groups and only their dimensions are kept, so memory is bounded.
// 3. Values inside bodies of If, Loop and Scan have no single shape and are skipped.
// 4. Values that are no tensors (sequences) are skipped, and so are values of types that the
//    runtime does not hand out.
import { type Graph, indexGraph, type Model, type Node, subgraphsOf } from '@pare/graph'
import { opFacts, opSet } from '@pare/ops'

import type { OpenModel, Tensors } from './model-session.js'
import type { ValueShape, ValueShapes } from './value-types.js'

export interface LearnShapesOptions {
  /** Values fetched per run of the model. Default 128. */
  readonly valuesPerRun?: number
  /** What was learned of the model before passes that keep names and shapes: the rest is learned. */
  readonly known?: ValueShapes
}

const DEFAULT_VALUES_PER_RUN = 128

/** By value name; initializers and graph inputs included. Throws what the runtime throws. */
export async function learnShapes(
  model: Model,
  open: OpenModel,
  feeds: Tensors,
  options: LearnShapesOptions = {},
): Promise<ValueShapes> {
  const shapes = new Map<string, ValueShape>()
  for (const [name, { dataType, dims }] of model.graph.initializers) {
    shapes.set(name, { dataType, dims })
  }
  for (const [name, { dataType, dims }] of Object.entries(feeds)) {
    shapes.set(name, { dataType, dims })
  }
  const size = options.valuesPerRun ?? DEFAULT_VALUES_PER_RUN
  const learn = (values: readonly string[]) =>
    learnValues({ model, open, feeds, size, shapes }, values)
  const values: string[] = []
  for (const value of innerValues(model)) {
    const known = options.known?.get(value)
    if (known === undefined) values.push(value)
    else shapes.set(value, known)
  }
  if (values.length === 0 && options.known !== undefined) return shapes
  try {
    await learn(values)
  } catch {
    // Some value may be of a type that no session hands out (bfloat16): find out which. When the
    // model does not even run by itself, the first step throws.
    await learn([])
    await learnByHalves(learn, values)
  }
  return shapes
}

interface Learning {
  readonly model: Model
  readonly open: OpenModel
  readonly feeds: Tensors
  readonly size: number
  readonly shapes: Map<string, ValueShape>
}

async function learnValues(
  { model, open, feeds, size, shapes }: Learning,
  values: readonly string[],
): Promise<void> {
  const session = await open(withOutputs(model, values))
  try {
    const wanted = values.length === 0 ? model.graph.outputs.map(({ name }) => name) : values
    for (let start = 0; start < wanted.length; start += size) {
      const results = await session.run(feeds, wanted.slice(start, start + size))
      for (const [name, { dataType, dims }] of Object.entries(results)) {
        shapes.set(name, { dataType, dims: [...dims] })
      }
    }
  } finally {
    await session.release()
  }
}

/** Learns what can be learned; a value that alone makes a session fail stays unknown. */
async function learnByHalves(
  learn: (values: readonly string[]) => Promise<void>,
  values: readonly string[],
): Promise<void> {
  const middle = Math.ceil(values.length / 2)
  for (const half of [values.slice(0, middle), values.slice(middle)]) {
    if (half.length === 0) continue
    try {
      await learn(half)
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown
      if (half.length > 1) await learnByHalves(learn, half)
    }
  }
}

function innerValues({ graph }: Model): readonly string[] {
  const sequences = nonTensors(graph, new Set())
  return graph.nodes.flatMap(({ outputs }) =>
    outputs.filter((output) => output !== '' && !sequences.has(output)),
  )
}

/** Sequence operators that make tensors. */
const TENSORS_FROM_SEQUENCES = opSet(
  'ConcatFromSequence',
  'OptionalHasElement',
  'SequenceAt',
  'SequenceLength',
)

/** Of the values that nodes make; `outer` are those of the graphs around. */
function nonTensors(graph: Graph, outer: ReadonlySet<string>): ReadonlySet<string> {
  const index = indexGraph(graph)
  const found = new Set(outer)
  for (const node of graph.nodes) {
    for (const [i, output] of node.outputs.entries()) {
      const declared = index.value(output)?.type?.kind ?? 'unknown'
      const isOne = declared === 'unknown' ? isNonTensor(node, i, found) : declared !== 'tensor'
      if (isOne) found.add(output)
    }
  }
  return found
}

/** Where the initial values of a Loop begin among its inputs. */
const LOOP_CARRIED = 2

function isNonTensor(node: Node, output: number, known: ReadonlySet<string>): boolean {
  const { opType, inputs } = node
  if (opFacts(node)?.family === 'sequence') return !TENSORS_FROM_SEQUENCES.has(opType)
  if (opType === 'SequenceMap') return true
  if (opType === 'Identity') return known.has(inputs[0] ?? '')
  if (opType === 'Loop') return known.has(inputs[output + LOOP_CARRIED] ?? '')
  if (opType !== 'If') return false
  return subgraphsOf(node).some((branch) => {
    const result = branch.outputs[output]?.name
    return result !== undefined && nonTensors(branch, known).has(result)
  })
}

/** The model with the values as outputs; those it already has keep their declaration. */
function withOutputs(model: Model, values: readonly string[]): Model {
  const declared = new Map(model.graph.outputs.map((output) => [output.name, output]))
  const added = values.filter((name) => !declared.has(name))
  const outputs = [...model.graph.outputs, ...added.map((name) => ({ name, metadataProps: [] }))]
  return { ...model, graph: { ...model.graph, outputs } }
}
