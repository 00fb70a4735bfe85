// Adds to the graph of a run what observers reduce values with, and shares of the values themselves. The
// model's own outputs are not among what is shown: only small results leave the session, and
// onnxruntime drops what no reduction needs.
import { editGraph, type GraphEditor, type Model } from '@pare/graph'
import { tensorFromInts } from '@pare/tensor'

import { nonNegativeImages } from '../non-negative-images.js'
import type { NameMaker, ReducingObserver } from '../observer.js'
import { int64 } from './int64.js'
import type { ProbeGraph } from './probe.js'

/** Returns the outputs of each observed value's reduction. */
export function addReductions(
  graph: ProbeGraph,
  points: readonly string[],
  observer: Pick<ReducingObserver, 'reduce'>,
): ReadonlyMap<string, readonly string[]> {
  const { model, editor } = graph
  const reduce = reductionsOf(model, editor, observer)
  const outputs = new Map(
    points.map((point, i) => [point, reduce(point, numbered(editor, i))] as const),
  )
  graph.show([...outputs.values()].flat())
  return outputs
}

/** Adds what an observer reduces a value with; gives the outputs of it. */
function reductionsOf(
  model: Model,
  editor: GraphEditor,
  observer: Pick<ReducingObserver, 'reduce'>,
): (value: string, name: NameMaker) => readonly string[] {
  const images = nonNegativeImages(model)
  return (value, name) => {
    const reduced = { value, isNonNegativeImage: images.has(value) }
    const { nodes, outputs } = observer.reduce(reduced, name)
    for (const node of nodes) editor.addNode(node)
    return outputs
  }
}

function numbered(editor: GraphEditor, number: number): NameMaker {
  return (suffix) => editor.uniqueName(`${suffix}${number}`)
}

/** The model with the values themselves as outputs. */
export function expose(model: Model, values: readonly string[]): Model {
  const outputs = values.map((name) => ({ name, metadataProps: [] }))
  return { ...model, graph: { ...model.graph, outputs } }
}

/** The model with the shape of each value as output. */
export function exposeShapes(
  model: Model,
  values: readonly string[],
): { readonly model: Model; readonly outputs: ReadonlyMap<string, string> } {
  const editor = editGraph(model)
  const outputs = new Map(values.map((value) => [value, editor.uniqueName('shape')]))
  for (const [value, output] of outputs) {
    editor.addNode({ opType: 'Shape', inputs: [value], outputs: [output] })
  }
  editor.setOutputs([...outputs.values()].map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), outputs }
}

/** From this opset on Slice takes its ends and its step as inputs. */
export const SLICE_OPSET = 10

/** Inputs (int64 [1]) and outputs of one value, by their names in the model. */
export interface SharedValue {
  readonly start: string
  readonly end: string
  readonly step: string
  readonly slice: string
  readonly shape: string
  /** Of all its elements, whatever the slice. */
  readonly reductions: readonly string[]
}

/**
 * Shows a share of each value: every `step`-th element, in row-major order, from `start` to before `end`.
 * The reductions of the observer look at all of them. No element where a run says nothing of a value.
 */
export function addShares(
  graph: ProbeGraph,
  points: readonly string[],
  observer: Pick<ReducingObserver, 'reduce'>,
): ReadonlyMap<string, SharedValue> {
  const { model, editor } = graph
  const all = editor.addInitializer('all', tensorFromInts('int64', [1], [-1]))
  const axes = editor.addInitializer('axes', tensorFromInts('int64', [1], [0]))
  const reduce = reductionsOf(model, editor, observer)
  const values = new Map<string, SharedValue>()
  for (const [i, point] of points.entries()) {
    const name = numbered(editor, i)
    const [start, end, step] = [name('start'), name('end'), name('step')]
    const [slice, shape, flat] = [name('slice'), name('shape'), name('flat')]
    const reductions = reduce(point, name)
    editor.addNode({ opType: 'Reshape', inputs: [point, all], outputs: [flat] })
    editor.addNode({ opType: 'Slice', inputs: [flat, start, end, axes, step], outputs: [slice] })
    editor.addNode({ opType: 'Shape', inputs: [point], outputs: [shape] })
    addScalar(graph, start, 0)
    addScalar(graph, end, 0)
    addScalar(graph, step, 1)
    graph.show([slice, shape, ...reductions])
    values.set(point, { start, end, step, slice, shape, reductions })
  }
  return values
}

function addScalar(graph: ProbeGraph, name: string, idle: number): void {
  const type = { kind: 'tensor', elementType: 'int64', shape: [{ size: 1 }] } as const
  graph.addInput({ name, type, metadataProps: [] }, int64(idle))
}
