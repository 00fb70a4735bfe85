// The mean that a layer puts out per channel, computed inside a session. A layer without its bias is
// linear, so the mean of its outputs over samples is its output for the mean of the samples: one
// reduction of the input and one pass of the layer over a single sample, instead of one over each.
import { attr, type GraphEditor } from '@pare/graph'
import { type Tensor, tensorFromInts } from '@pare/tensor'

import type { WeightedLayer } from '../layers/layer-weight.js'

/** From here on ReduceMean takes its axes as an input. */
const AXES_AS_INPUT = 18

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
  private readonly opset: number
  private readonly reduced = new Map<string, string>()

  constructor(editor: GraphEditor, opset: number) {
    this.editor = editor
    this.opset = opset
  }

  /** Returns the value that holds the C means, over samples and positions, without bias and alpha. */
  add(spec: MeanSpec): string {
    return spec.layer.node.opType === 'Conv' ? this.addConv(spec) : this.addMatrix(spec)
  }

  private addConv({ input, layer: { node }, weightName, weight }: MeanSpec): string {
    const sample = this.once(`sample ${input}`, () => this.mean(input, [0], 1))
    const output = this.node('Conv', [sample, weightName], node.attributes)
    const positions = weight.dims.slice(2).map((_, i) => i + 2)
    return this.mean(output, positions, 0)
  }

  /** Gemm and MatMul: every row counts alike, whatever the rank of the input. */
  private addMatrix({ input, layer, weightName, weight }: MeanSpec): string {
    const { inputs: size } = layer
    const row = this.once(`row ${size} ${input}`, () => {
      const shape = this.editor.addInitializer('rows', tensorFromInts('int64', [2], [-1, size]))
      return this.mean(this.node('Reshape', [input, shape]), [0], 1)
    })
    const matrix = this.matrix(weightName, weight)
    const right = layer.axis < layer.inputAxis ? this.node('Transpose', [matrix]) : matrix
    return this.node('MatMul', [row, right])
  }

  /** Leading dimensions of a MatMul's weight are 1. */
  private matrix(name: string, weight: Tensor): string {
    if (weight.dims.length === 2) return name
    return this.editor.addInitializer('matrix', { ...weight, dims: weight.dims.slice(-2) })
  }

  private mean(value: string, axes: readonly number[], keepdims: 0 | 1): string {
    if (axes.length === 0) return value
    if (this.opset < AXES_AS_INPUT) {
      return this.node('ReduceMean', [value], {
        axes: attr.ints(axes),
        keepdims: attr.int(keepdims),
      })
    }
    const input = this.once(`axes ${axes.join()}`, () =>
      this.editor.addInitializer('axes', tensorFromInts('int64', [axes.length], axes)),
    )
    return this.node('ReduceMean', [value, input], { keepdims: attr.int(keepdims) })
  }

  private node(
    opType: string,
    inputs: readonly string[],
    attributes: Parameters<GraphEditor['addNode']>[0]['attributes'] = {},
  ): string {
    return this.editor.addNode({ opType, inputs, attributes }).outputs[0]!
  }

  private once(key: string, make: () => string): string {
    const known = this.reduced.get(key) ?? make()
    this.reduced.set(key, known)
    return known
  }
}
