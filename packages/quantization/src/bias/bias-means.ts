// The mean that a layer puts out per channel, computed inside a session. A layer without its bias is
// linear, so the mean of its outputs over samples is its output for the mean of the samples: one
// reduction of the input and one pass of the layer over a single sample, instead of one over each.
import type { GraphEditor } from '@pare/graph'
import type { Emitter } from '@pare/ops'
import type { Tensor } from '@pare/tensor'

import type { WeightedLayer } from '../layers/layer-weight.js'

export interface MeanSpec {
  /** The value that the layer reads. */
  readonly input: string
  readonly layer: Pick<WeightedLayer, 'node' | 'axis' | 'inputAxis' | 'inputs'>
  /** Stands for the layer's own, and lies as it does. */
  readonly weightName: string
  readonly weight: Tensor
}

/** Adds means to a graph that is being edited; each input is reduced once, whoever reads it. */
export class MeanWriter {
  private readonly editor: GraphEditor
  private readonly emit: Emitter
  private readonly reduced = new Map<string, string>()

  constructor(editor: GraphEditor, emit: Emitter) {
    this.editor = editor
    this.emit = emit
  }

  /** Returns the value that holds the C means, over samples and positions, without bias and alpha. */
  add(spec: MeanSpec): string {
    return spec.layer.node.opType === 'Conv' ? this.addConv(spec) : this.addMatrix(spec)
  }

  private addConv({ input, layer: { node }, weightName, weight }: MeanSpec): string {
    const sample = this.once(`sample ${input}`, () => this.emit.reduceMean(input, [0]))
    const { attributes } = node
    const conv = { opType: 'Conv', inputs: [sample, weightName], attributes }
    const output = this.editor.addNode(conv).outputs[0]!
    const positions = weight.dims.slice(2).map((_, i) => i + 2)
    return this.emit.reduceMean(output, positions, { keepDims: false })
  }

  /** Gemm and MatMul: every row counts alike, whatever the rank of the input. */
  private addMatrix({ input, layer, weightName, weight }: MeanSpec): string {
    const { inputs: size } = layer
    const { matMul, reduceMean, reshape, transpose } = this.emit
    const row = this.once(`row ${size} ${input}`, () => reduceMean(reshape(input, [-1, size]), [0]))
    const matrix = this.matrix(weightName, weight)
    const right = layer.axis < layer.inputAxis ? transpose(matrix) : matrix
    return matMul(row, right)
  }

  /** Leading dimensions of a MatMul's weight are 1. */
  private matrix(name: string, weight: Tensor): string {
    if (weight.dims.length === 2) return name
    return this.editor.addInitializer('matrix', { ...weight, dims: weight.dims.slice(-2) })
  }

  private once(key: string, make: () => string): string {
    const known = this.reduced.get(key) ?? make()
    this.reduced.set(key, known)
    return known
  }
}
