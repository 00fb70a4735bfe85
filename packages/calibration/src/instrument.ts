// The model with the observers' reductions added. Its original outputs are left out: only small
// results leave the session, and onnxruntime drops what no reduction needs.
import { editGraph, type Model, onnxOpset } from '@pare/graph'

import type { Observer } from './observer.js'

export interface InstrumentedModel {
  readonly model: Model
  /** The outputs of each observed value's reduction. */
  readonly outputs: ReadonlyMap<string, readonly string[]>
}

export function instrument(
  model: Model,
  points: readonly string[],
  observer: Pick<Observer, 'reduce'>,
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
