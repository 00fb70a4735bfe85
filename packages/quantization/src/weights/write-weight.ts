// A quantized weight is packed at once; the nodes that read it, in whatever body, are rewritten when
// all weights are there.
import type { GraphEditor, Node } from '@pare/graph'
import type { ValueShapes } from '@pare/passes'

import { fasterLevel } from './accuracy-level.js'
import type { QuantizedMatrix } from './block-grid.js'
import type { WeightLayer } from './find-layers.js'
import type { AccuracyLevel, ResolvedWeightsOptions } from './options.js'
import { addCastWeight } from './write-cast.js'
import { rewriteAsBlockGather, rewriteAsNBits, writePacked, writeTable } from './write-nbits.js'
import {
  addCodes,
  insertDequantized,
  multiplyInFloat32,
  packCodes,
  packTable,
  readDequantized,
  rewriteAsGatheredCodes,
  withWideScales,
} from './write-qdq.js'

/** Rewrites a node in the editor of its graph. Holds the packed weight, not the matrix. */
export type Rewrite = (editor: GraphEditor) => void

/** Writes the weight that the layers share; returns what becomes of each node. */
export function writeWeight(
  main: GraphEditor,
  quantized: QuantizedMatrix,
  {
    layers,
    options,
    shapes,
  }: {
    readonly layers: readonly WeightLayer[]
    readonly options: Pick<ResolvedWeightsOptions, 'accuracyLevel'>
    readonly shapes: ValueShapes | undefined
  },
): readonly (readonly [Node, Rewrite])[] {
  const { bits } = quantized.spec
  const levelOf = (layer: WeightLayer) =>
    options.accuracyLevel === 'auto' ? fasterLevel(layer, bits, shapes) : options.accuracyLevel
  const rewrite = writeAs(main, quantized, { first: layers[0]!, levelOf })
  return layers.map((layer) => [layer.node, (editor) => rewrite(editor, layer)])
}

type LayerRewrite = (editor: GraphEditor, layer: WeightLayer) => void

interface WriteContext {
  readonly first: WeightLayer
  readonly levelOf: (layer: WeightLayer) => AccuracyLevel
}

function writeAs(main: GraphEditor, matrix: QuantizedMatrix, context: WriteContext): LayerRewrite {
  const { first } = context
  switch (first.format) {
    case 'QDQ':
      return writeQdq(main, matrix, first)
    case 'MatMulNBits':
      return writeMicrosoft(main, matrix, context)
    case 'Cast': {
      // In the main graph, where bodies see it and all branches share it.
      const float = addCastWeight(main, matrix, first)
      return (editor, layer) => editor.setInput(layer.node, 1, float)
    }
  }
}

function writeMicrosoft(
  main: GraphEditor,
  matrix: QuantizedMatrix,
  { first, levelOf }: WriteContext,
): LayerRewrite {
  const { rows, columns, spec } = matrix
  const quantized = { rows, columns, spec }
  if (first.layout === 'table') {
    const written = writeTable(main, matrix, first)
    return (editor, layer) => rewriteAsBlockGather(editor, layer, written, quantized)
  }
  const written = writePacked(main, matrix)
  return (editor, layer) =>
    rewriteAsNBits(editor, { layer, written, quantized, accuracyLevel: levelOf(layer) })
}

function writeQdq(main: GraphEditor, matrix: QuantizedMatrix, first: WeightLayer): LayerRewrite {
  if (first.layout === 'table' && matrix.spec.bits === 8) {
    const packed = packTable(matrix)
    const added = oncePerGraph((editor) => addCodes(editor, packed))
    return (editor, layer) => rewriteAsGatheredCodes(editor, layer, added(editor, layer.node))
  }
  const packed = packCodes(matrix, first)
  const float = oncePerGraph((editor, before) => insertDequantized(editor, packed, before))
  if (!isNarrowProduct(first)) {
    return (editor, layer) => readDequantized(editor, layer, float(editor, layer.node))
  }
  const wide = oncePerGraph((editor, before) =>
    insertDequantized(editor, withWideScales(packed), before),
  )
  return (editor, layer) => {
    if (editor === main) readDequantized(editor, layer, float(editor, layer.node))
    else multiplyInFloat32(editor, layer, wide(editor, layer.node))
  }
}

function isNarrowProduct({ layout, weight }: WeightLayer): boolean {
  return (layout === 'kn' || layout === 'nk') && weight.dataType === 'float16'
}

function oncePerGraph<Value>(
  make: (editor: GraphEditor, before: Node) => Value,
): (editor: GraphEditor, before: Node) => Value {
  const made = new Map<GraphEditor, Value>()
  return (editor, before) => {
    if (!made.has(editor)) made.set(editor, make(editor, before))
    return made.get(editor)!
  }
}
