// The model with the observers' reductions added. Its original outputs are left out: only small
// results leave the session, and onnxruntime drops what no reduction needs.
import { editGraph, type Model } from '@pare/graph'
import { tensorFromInts } from '@pare/tensor'

import { nonNegativeImages } from './non-negative-images.js'
import type { ReducingObserver } from './observer.js'

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
  const images = nonNegativeImages(model)
  const outputs = new Map<string, readonly string[]>()
  for (const [i, point] of points.entries()) {
    const name = (suffix: string) => editor.uniqueName(`${suffix}${i}`)
    const reduced = { value: point, isNonNegativeImage: images.has(point) }
    const reduction = observer.reduce(reduced, name)
    for (const node of reduction.nodes) editor.addNode(node)
    outputs.set(point, reduction.outputs)
  }
  const names = [...outputs.values()].flat()
  editor.setOutputs(names.map((name) => ({ name, metadataProps: [] })))
  return { model: editor.finish(), outputs }
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
  const images = nonNegativeImages(model)
  const values = new Map<string, SharedValue>()
  for (const [i, point] of points.entries()) {
    const name = (suffix: string) => editor.uniqueName(`${suffix}${i}`)
    const [start, end, step, slice, shape, flat] = NAMES.map(name) as [...typeof NAMES]
    const reduced = { value: point, isNonNegativeImage: images.has(point) }
    const reduction = observer.reduce(reduced, name)
    for (const node of reduction.nodes) editor.addNode(node)
    editor.addNode({ opType: 'Reshape', inputs: [point, all], outputs: [flat] })
    editor.addNode({ opType: 'Slice', inputs: [flat, start, end, axes, step], outputs: [slice] })
    editor.addNode({ opType: 'Shape', inputs: [point], outputs: [shape] })
    values.set(point, { start, end, step, slice, shape, reductions: reduction.outputs })
  }
  const outputs = [...values.values()].flatMap(({ slice, shape, reductions }) => [
    slice,
    shape,
    ...reductions,
  ])
  editor.setOutputs(outputs.map((name) => ({ name, metadataProps: [] })))
  return { model: withScalars(editor.finish(), [...values.values()]), values }
}

const NAMES = ['start', 'end', 'step', 'slice', 'shape', 'flat'] as unknown as readonly [
  string,
  string,
  string,
  string,
  string,
  string,
]

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
