// The model with the observers' reductions added. Its original outputs are left out: only small
// results leave the session, and onnxruntime drops what no reduction needs.
import { editGraph, type Model, onnxOpset } from '@pare/graph'
import { tensorFromInts } from '@pare/tensor'

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
  const outputs = new Map<string, readonly string[]>()
  for (const [i, point] of points.entries()) {
    const name = (suffix: string) => editor.uniqueName(`${suffix}${i}`)
    const reduction = observer.reduce(point, name, onnxOpset(model))
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

/** Inputs `start` and `end` (int64 [1]), outputs `slice` and `shape`, by their names in the model. */
export interface SlicedModel {
  readonly model: Model
  readonly start: string
  readonly end: string
  readonly slice: string
  readonly shape: string
}

/** From this opset on Slice takes its ends as inputs. */
export const SLICE_OPSET = 10

/** The model with the elements `start` to `end` of a value, in row-major order, as output. */
export function exposeSlice(model: Model, value: string): SlicedModel {
  const editor = editGraph(model)
  const [start, end, slice, shape, flat] = ['start', 'end', 'slice', 'shape', 'flat'].map((name) =>
    editor.uniqueName(name),
  ) as [string, string, string, string, string]
  const all = editor.addInitializer('all', tensorFromInts('int64', [1], [-1]))
  editor.addNode({ opType: 'Reshape', inputs: [value, all], outputs: [flat] })
  editor.addNode({ opType: 'Slice', inputs: [flat, start, end], outputs: [slice] })
  editor.addNode({ opType: 'Shape', inputs: [value], outputs: [shape] })
  editor.setOutputs([slice, shape].map((name) => ({ name, metadataProps: [] })))
  const exposed = editor.finish()
  const bounds = [start, end].map((name) => ({
    name,
    type: { kind: 'tensor', elementType: 'int64', shape: [{ size: 1 }] } as const,
    metadataProps: [],
  }))
  const inputs = [...exposed.graph.inputs, ...bounds]
  return {
    model: { ...exposed, graph: { ...exposed.graph, inputs } },
    ...{ start, end, slice, shape },
  }
}
