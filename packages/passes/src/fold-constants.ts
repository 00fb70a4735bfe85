// Computes what does not depend on the graph inputs. Rules:
// 1. A node is constant when it is deterministic, has inputs, all of them constant, no subgraph,
//    and neither makes a graph output nor belongs to quantization (the integers are the point).
// 2. The constant part is cut out and run once by the runtime; only values that the rest of the
//    graph reads are fetched.
// 3. A value larger than `maxBytes`, or more than twice as large as the constants it came from,
//    stays computed: folding Expand or Tile would only make the file bigger. (Twice, so that
//    float16 weights behind a Cast still become constants.)
// 4. If the runtime cannot run the part, the model stays as it is, with a diagnostic.
import { coerceError } from '@pare/errors'
import {
  type AsyncPass,
  editGraph,
  indexGraph,
  type Model,
  type Node,
  type PassResult,
  type StaticGraphIndex,
  subgraphsOf,
} from '@pare/graph'
import { isDeterministic, opFacts } from '@pare/ops'
import { fromRuntimeTensor, type Tensor } from '@pare/tensor'

import type { OpenModel, Tensors } from './model-session.js'

export interface FoldConstantsOptions {
  readonly open: OpenModel
  /** Largest value to fold, in bytes. Default 256 MiB. */
  readonly maxBytes?: number
}

const DEFAULT_MAX_BYTES = 256 * 2 ** 20

/** Values up to this size are folded whatever they came from. */
const SMALL_BYTES = 64 * 1024

const MAX_GROWTH = 2

export function foldConstants(options: FoldConstantsOptions): AsyncPass {
  return { name: 'fold_constants', run: (model) => run(model, options) }
}

async function run(model: Model, options: FoldConstantsOptions): Promise<PassResult> {
  const index = indexGraph(model.graph)
  const excluded = new Set<Node>()
  // Each round leaves out the nodes whose result was too large; their inputs become results.
  for (;;) {
    const part = constantPart(index, excluded)
    if (part.values.length === 0) return { model, modified: false, diagnostics: [] }
    const results = await evaluate(model, part, options.open)
    if (results instanceof Error) return notFolded(model, results)
    const tooLarge = part.values.filter(
      (value) => !isWorthFolding(results[value], value, { part, options }),
    )
    if (tooLarge.length === 0) return apply(model, part, results)
    for (const value of tooLarge) excluded.add(part.producers.get(value)!)
  }
}

interface ConstantPart {
  readonly nodes: readonly Node[]
  readonly producers: ReadonlyMap<string, Node>
  /** Constants the part reads. */
  readonly leaves: ReadonlyMap<string, Tensor>
  /** Values of the part that the rest of the graph reads. */
  readonly values: readonly string[]
}

function constantPart(index: StaticGraphIndex, excluded: ReadonlySet<Node>): ConstantPart {
  const producers = new Map<string, Node>()
  const leaves = new Map<string, Tensor>()
  const nodes = new Set<Node>()
  for (const node of index.graph.nodes) {
    if (excluded.has(node) || !isFoldable(node, index)) continue
    const inputs = node.inputs.filter((input) => input !== '')
    const isConstant = (input: string) =>
      producers.has(input) || index.constant(input) !== undefined
    if (inputs.length === 0 || !inputs.every(isConstant)) continue
    nodes.add(node)
    for (const output of node.outputs) if (output !== '') producers.set(output, node)
    for (const input of inputs) {
      const tensor = producers.has(input) ? undefined : index.constant(input)
      if (tensor !== undefined) leaves.set(input, tensor)
    }
  }
  const isReadOutside = (value: string) =>
    index.consumers(value).some((consumer) => !nodes.has(consumer))
  return {
    nodes: [...nodes],
    producers,
    leaves,
    values: [...producers.keys()].filter(isReadOutside),
  }
}

function isFoldable(node: Node, index: StaticGraphIndex): boolean {
  const facts = opFacts(node)
  return (
    facts !== undefined &&
    facts.family !== 'quantization' &&
    facts.family !== 'sequence' &&
    isDeterministic(node) &&
    node.opType !== 'Dropout' &&
    subgraphsOf(node).length === 0 &&
    !node.outputs.some((output) => index.isGraphOutput(output))
  )
}

async function evaluate(
  model: Model,
  part: ConstantPart,
  open: OpenModel,
): Promise<Tensors | Error> {
  const cut: Model = {
    ...model,
    graph: {
      name: 'constants',
      nodes: part.nodes,
      inputs: [],
      outputs: part.values.map((name) => ({ name, metadataProps: [] })),
      valueInfo: [],
      initializers: part.leaves,
      sparseInitializers: [],
      metadataProps: [],
    },
  }
  try {
    const session = await open(cut)
    try {
      return await session.run({}, part.values)
    } finally {
      await session.release()
    }
  } catch (thrown) {
    return coerceError(thrown)
  }
}

function notFolded(model: Model, cause: Error): PassResult {
  const message = `constants stay computed, since the runtime could not compute them: ${cause.message}`
  return {
    model,
    modified: false,
    diagnostics: [{ severity: 'warning', code: 'constants_not_folded', message }],
  }
}

function isWorthFolding(
  result: Tensors[string] | undefined,
  value: string,
  { part, options }: { readonly part: ConstantPart; readonly options: FoldConstantsOptions },
): boolean {
  if (result === undefined) return false
  const bytes = 'byteLength' in result.data ? result.data.byteLength : result.data.length
  if (bytes <= SMALL_BYTES) return true
  if (bytes > (options.maxBytes ?? DEFAULT_MAX_BYTES)) return false
  return bytes <= MAX_GROWTH * sourceBytes(value, part)
}

/** Bytes of the constants from which a value is computed. */
function sourceBytes(value: string, part: ConstantPart): number {
  const seen = new Set<string>()
  const open = [value]
  let bytes = 0
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const data = part.leaves.get(name)?.data
    if (data?.kind === 'bytes') bytes += data.bytes.length
    if (data?.kind === 'external') bytes += data.length
    open.push(...(part.producers.get(name)?.inputs ?? []))
  }
  return bytes
}

function apply(model: Model, part: ConstantPart, results: Tensors): PassResult {
  const editor = editGraph(model)
  for (const value of part.values) {
    editor.replaceUses(value, editor.addInitializer(value, fromRuntimeTensor(results[value]!)))
  }
  for (const node of part.nodes) editor.removeNode(node)
  editor.removeUnusedInitializers()
  return { model: editor.finish(), modified: true, diagnostics: [] }
}
