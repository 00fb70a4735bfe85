// The model with the observers' reductions added. Its original outputs are left out: only small
// results leave the session, and onnxruntime drops what no reduction needs.
import { editGraph, type GraphEditor, type Model } from '@pare/graph'
import { tensorFromInts } from '@pare/tensor'

import { nonNegativeImages } from './non-negative-images.js'
import type { NameMaker, ReducingObserver } from './observer.js'

export interface InstrumentedModel {
  readonly model: Model
  /** The outputs of each observed value's reduction. */
  readonly outputs: ReadonlyMap<string, readonly string[]>
}

export function instrument(
  model: Model,
  points: readonly string[],
  observer: Pick<ReducingObserver, 'reduce'>,
): InstrumentedModel {
  const editor = editGraph(model)
  const addReductions = reductionsOf(model, editor, observer)
  const outputs = new Map(
    points.map((point, i) => [point, addReductions(point, numbered(editor, i))] as const),
  )
  const names = [...outputs.values()].flat()
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), outputs }
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

export interface SharingModel {
  readonly model: Model
  readonly values: ReadonlyMap<string, SharedValue>
}

/**
 * The model with a share of each value as output: every `step`-th element, in row-major order, from
 * `start` to before `end`. The reductions of the observer look at all of them.
 */
export function exposeShares(
  model: Model,
  points: readonly string[],
  observer: Pick<ReducingObserver, 'reduce'>,
): SharingModel {
  const editor = editGraph(model)
  const all = editor.addInitializer('all', tensorFromInts('int64', [1], [-1]))
  const axes = editor.addInitializer('axes', tensorFromInts('int64', [1], [0]))
  const addReductions = reductionsOf(model, editor, observer)
  const values = new Map<string, SharedValue>()
  for (const [i, point] of points.entries()) {
    const name = numbered(editor, i)
    const [start, end, step] = [name('start'), name('end'), name('step')]
    const [slice, shape, flat] = [name('slice'), name('shape'), name('flat')]
    const reductions = addReductions(point, name)
    editor.addNode({ opType: 'Reshape', inputs: [point, all], outputs: [flat] })
    editor.addNode({ opType: 'Slice', inputs: [flat, start, end, axes, step], outputs: [slice] })
    editor.addNode({ opType: 'Shape', inputs: [point], outputs: [shape] })
    values.set(point, { start, end, step, slice, shape, reductions })
  }
  const outputs = [...values.values()].flatMap(({ slice, shape, reductions }) => [
    slice,
    shape,
    ...reductions,
  ])
  editor.setOutputs(outputs.map((name) => ({ name, metadataProps: [] })))
  return { model: withScalars(editor.finish(), [...values.values()]), values }
}

function withScalars(model: Model, values: readonly SharedValue[]): Model {
  const scalars = values
    .flatMap(({ start, end, step }) => [start, end, step])
    .map((name) => ({
      name,
      type: { kind: 'tensor', elementType: 'int64', shape: [{ size: 1 }] } as const,
      metadataProps: [],
    }))
  return { ...model, graph: { ...model.graph, inputs: [...model.graph.inputs, ...scalars] } }
}
