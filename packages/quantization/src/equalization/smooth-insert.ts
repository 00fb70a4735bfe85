// Factors that nothing before a value can absorb: a Mul node divides the value for the layers that
// are smoothed, and for them alone.
import { type ChannelGraph, type ChannelLayer, type ChannelScales } from '@pare/channels'
import type { GraphEditor } from '@pare/graph'
import { tensorFromFloat32 } from '@pare/tensor'

/** One value, the layers that read it divided, and the ids of its channels for them. */
export interface InsertedDivision {
  readonly value: string
  readonly ids: Int32Array
}

export interface InsertedDivisions {
  /** All layers of the graph; those concerned read channels of their own. */
  readonly layers: readonly ChannelLayer[]
  readonly divisions: readonly {
    readonly layers: readonly ChannelLayer[]
    readonly division: InsertedDivision
  }[]
  readonly write: (editor: GraphEditor, scales: ChannelScales) => void
}

/** Gives the layers of each value channels of their own; `write` adds the nodes. */
export function insertDivisions(
  graph: ChannelGraph,
  apart: ReadonlyMap<string, readonly ChannelLayer[]>,
): InsertedDivisions {
  const replaced = new Map<ChannelLayer, ChannelLayer>()
  const divisions = [...apart].map(([value, layers]) => {
    const ids = graph.ids.allocate(layers[0]!.inputs)
    const changed = layers.map((layer) => ({ ...layer, inputIds: ids }))
    for (const [i, layer] of layers.entries()) replaced.set(layer, changed[i]!)
    return { layers: changed, division: { value, ids } }
  })
  return {
    layers: graph.layers.map((layer) => replaced.get(layer) ?? layer),
    divisions,
    write: (editor, scales) => {
      for (const { layers, division } of divisions)
        writeDivision(editor, layers, { division, scales })
    },
  }
}

function writeDivision(
  editor: GraphEditor,
  layers: readonly ChannelLayer[],
  { division, scales }: { readonly division: InsertedDivision; readonly scales: ChannelScales },
): void {
  const { value, ids } = division
  const [{ node, channelAxis }] = layers as [ChannelLayer]
  const dims = [ids.length, ...new Array<number>(-channelAxis - 1).fill(1)]
  const inverse = Float32Array.from(ids, (id) => 1 / scales[id]!)
  const [divided = ''] = editor.insertBefore(editor.current(node)!, {
    opType: 'Mul',
    inputs: [value, editor.addInitializer('smooth', tensorFromFloat32(dims, inverse))],
  }).outputs
  for (const layer of layers) editor.setInput(layer.node, 0, divided)
}
