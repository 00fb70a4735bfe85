// Writes a placement into the graph as QuantizeLinear and DequantizeLinear (QDQ format): the model
// still means the same to any runtime, and onnxruntime replaces DQ → op → Q by integer kernels.
// Names are short and scalars shared: in a small model they are what quantization adds.
import { editGraph, type GraphEditor, type Model, type Node } from '@pare/graph'
import type { ActivationType } from '@pare/recipe'
import { roundHalfToEven, type Tensor, tensorFromInts, toFloat32 } from '@pare/tensor'

import { INTEGER_RANGES } from '../integers/integer-type.js'
import { activationParams, type QuantizationParams, type RealRange } from '../integers/params.js'
import type { QuantizedLayer } from '../layers/quantize-layers.js'
import type { Placement } from '../placement/placement.js'
import { addDequantize, type Parameters } from '../writing/dequantize-node.js'
import { removeUnused, ScalarPool } from '../writing/written-constants.js'
import { writeWeights } from './write-weights.js'

export interface InsertQdqOptions {
  readonly activationType: ActivationType
  readonly symmetric: boolean
  /** Parameters of each value in `placement.owners`, by owner. */
  readonly params: ReadonlyMap<string, QuantizationParams>
  readonly weights: ReadonlyMap<Node, QuantizedLayer>
}

export interface InsertedQdq {
  readonly model: Model
  /** Name of the integer weight of each layer. */
  readonly weightNames: ReadonlyMap<Node, string>
}

export function insertQdq(
  model: Model,
  placement: Placement,
  options: InsertQdqOptions,
): InsertedQdq {
  const editor = editGraph(model)
  const scalars = new ScalarPool(editor)
  foldClamps(editor, placement)
  const written = new Set([...placement.emitters.values()].map(({ output }) => output))
  for (const [value, owner] of placement.owners) {
    const params = options.params.get(owner)!
    const pair = addPair(editor, value, {
      scale: scalars.float(params.scale),
      zeroPoint: scalars.integer(options.activationType, params.zeroPoint),
    })
    connect(editor, placement, { value, pair, isWritten: written.has(value) })
  }
  quantizeJoinConstants(editor, scalars, placement, options)
  const weightNames = writeWeights(editor, scalars, options)
  removeUnused(editor)
  return { model: editor.finish(), weightNames }
}

function foldClamps(editor: GraphEditor, placement: Placement): void {
  for (const [node, { output, clamps }] of placement.emitters) {
    if (clamps.length === 0) continue
    clamps.forEach((clamp) => editor.removeNode(clamp))
    editor.updateNode(node, { outputs: [output, ...node.outputs.slice(1)] })
  }
}

interface Pair {
  readonly quantize: Node
  readonly dequantized: string
}

function addPair(editor: GraphEditor, value: string, parameters: Parameters): Pair {
  const quantized = editor.uniqueName('q')
  const quantize = editor.addNode({
    opType: 'QuantizeLinear',
    name: 'Q',
    inputs: [value, parameters.scale, parameters.zeroPoint],
    outputs: [quantized],
  })
  const dequantized = addDequantize(editor, quantized, parameters)
  return { quantize, dequantized }
}

interface Connection {
  readonly value: string
  readonly pair: Pair
  /** An integer kernel writes the value. */
  readonly isWritten: boolean
}

/**
 * A value written in integers is read from DequantizeLinear by everybody, graph outputs included:
 * one float reader would keep its kernel float. Any other value only by those who compute with it.
 */
function connect(
  editor: GraphEditor,
  placement: Placement,
  { value, pair, isWritten }: Connection,
): void {
  const producer = placement.index.producer(value)
  if (isWritten || (producer !== undefined && placement.passes.has(producer))) {
    editor.replaceUses(value, pair.dequantized, { except: [pair.quantize] })
    return
  }
  for (const reader of placement.index.consumers(value)) {
    if (placement.layers.has(reader) || placement.passes.has(reader)) {
      editor.setInput(reader, 0, pair.dequantized)
    } else if (placement.joins.has(reader)) {
      reader.inputs.forEach((input, i) => {
        if (input === value) editor.setInput(reader, i, pair.dequantized)
      })
    }
  }
}

/** Constants that joins add or multiply with get the activations' type. */
function quantizeJoinConstants(
  editor: GraphEditor,
  scalars: ScalarPool,
  placement: Placement,
  options: InsertQdqOptions,
): void {
  const done = new Map<string, string>()
  for (const node of placement.joins) {
    for (const [i, input] of node.inputs.entries()) {
      const constant = placement.index.constant(input)
      if (constant?.dataType !== 'float32') continue
      const dequantized = done.get(input) ?? addConstant(editor, scalars, { constant, options })
      done.set(input, dequantized)
      editor.setInput(node, i, dequantized)
    }
  }
}

function addConstant(
  editor: GraphEditor,
  scalars: ScalarPool,
  { constant, options }: { readonly constant: Tensor; readonly options: InsertQdqOptions },
): string {
  const { activationType, symmetric } = options
  const values = toFloat32(constant)
  const { scale, zeroPoint } = activationParams(rangeOf(values), activationType, { symmetric })
  const { qmin, qmax } = INTEGER_RANGES[activationType]
  const integers = Array.from(values, (x) =>
    Math.min(Math.max(roundHalfToEven(Math.fround(x / scale)) + zeroPoint, qmin), qmax),
  )
  const name = editor.addInitializer('c', tensorFromInts(activationType, constant.dims, integers))
  return addDequantize(editor, name, {
    scale: scalars.float(scale),
    zeroPoint: scalars.integer(activationType, zeroPoint),
  })
}

function rangeOf(values: Float32Array): RealRange {
  let [min, max] = [0, 0]
  for (const x of values) {
    if (x < min) min = x
    if (x > max) max = x
  }
  return { min, max }
}
